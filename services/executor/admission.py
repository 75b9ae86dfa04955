"""What a start needs a place for: the plan's quota, and the keys that its document names."""

from typing import TYPE_CHECKING, Any

from libs.common.errors import DomainError, InvalidInput, PaymentNeeded
from libs.common.privacy import DataKey
from libs.language import ExpressionError
from libs.language.expression import Expression
from services.executor.commit import Admission
from services.executor.contract import RateReached, TooManyRunning
from services.executor.documents import Published
from services.executor.limits import month, month_ends
from services.executor.work import encode

if TYPE_CHECKING:
    from services.executor.engine import Engine


async def admission_of(
    engine: "Engine", org: str, found: Published, names: dict[str, Any], key: DataKey
) -> Admission:
    """Keys are kept as keyed digests, per workflow. Raises InvalidInput when one has no value."""
    document = found.document
    allowed = await engine.limits.executions_per_month(org)
    keys: dict[str, Any] = {}

    async def digest(use: str, expression: Expression | None) -> str:
        value: Any = None
        if expression is not None:
            try:
                value = await engine.evaluate(expression, names, names["trigger"]["at"])
            except ExpressionError as error:
                raise InvalidInput(f"{use}.key: {error.code}") from None
        return key.digest(encode(value), f"{use}:{found.workflow}")

    if (places := document.concurrency) is not None:
        keys |= {"ckey": await digest("concurrency", places.key), "climit": places.limit,
                 "cthen": places.then}  # fmt: skip
    if (rate := document.rate) is not None:
        keys |= {"rkey": await digest("rate", rate.key), "rlimit": rate.limit,
                 "rper_s": rate.per_s, "rthen": rate.then}  # fmt: skip
    if (quiet := document.debounce) is not None:
        keys |= {"dkey": await digest("debounce", quiet.key), "dwindow_s": quiet.window_s}
    return Admission(month(), allowed, document.priority, **keys)


def refusal(why: str, admission: Admission) -> DomainError:
    """What the caller is told when there was no place: `why` is quota, busy or rate."""
    if why == "busy":
        return TooManyRunning(
            "as many executions of this key run as concurrency.limit allows",
            limit=admission.climit,
        )  # fmt: skip
    if why == "rate":
        return RateReached(
            "this key has started as often as rate.limit allows",
            limit=admission.rlimit, per_s=admission.rper_s,
        )  # fmt: skip
    return PaymentNeeded(
        "this month's executions are used up", limit=admission.allowed, used=admission.allowed,
        meter="executions", resets_at=month_ends(),
    )  # fmt: skip
