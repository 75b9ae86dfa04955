"""The names that every step of an execution sees, and its input: made, checked, completed."""

from typing import TYPE_CHECKING, Any

from libs.common import clock
from libs.common.errors import FieldProblem, InvalidInput, TooLarge
from libs.language import ExpressionError, format_rfc3339
from libs.language.schema import validate_input
from libs.language.templates import Value
from services.executor.documents import Published
from services.executor.file_values import referred
from services.executor.work import encode

if TYPE_CHECKING:
    from services.executor.engine import Engine

NAMES_BYTES_MAX = 1_048_576
ERRORS_MAX = 50


async def names_of(
    engine: "Engine", org: str, found: Published, execution: str, trigger: dict[str, Any],
    given: Any, *, mode: str = "live", with_: Value | None = None, event: Any = None,
) -> dict[str, Any]:  # fmt: skip
    """`with_` (of a trigger) makes the input out of `given`, the event and the trigger.

    Raises InvalidInput, TooLarge, FileMissing; the files that it names are kept from now on.
    """
    now = format_rfc3339(clock.now())
    names: dict[str, Any] = {
        "trigger": {**trigger, "at": now},
        "execution": {"id": execution, "started_at": now, "attempt": 1, "mode": mode},
        "workflow": {"name": found.name, "version": found.version},
        "vars": await engine.documents.variables(org, found.document.variables),
        "input": given,
    }
    if with_ is not None:
        seen = names if event is None else {**names, "event": event}
        try:
            names["input"] = await engine.evaluate(with_, seen, now)
        except ExpressionError as error:
            raise InvalidInput(f"the trigger's with: {error.code}") from None
    names["input"] = fitting(found, names["input"])
    encoded = encode(names)
    if (size := len(encoded)) > NAMES_BYTES_MAX:
        raise TooLarge(
            f"input and variables together have {size} bytes", limit_bytes=NAMES_BYTES_MAX
        )
    if (store := engine.calling.files) is not None:
        await store.refer(org, execution, referred(encoded), all_there=True)
    return names


def fitting(found: Published, given: Any) -> Any:
    """The input with the schema's defaults filled in. Raises InvalidInput."""
    if found.validator is None:
        return given
    debounce = found.document.debounce
    gathers = debounce is not None and debounce.collect  # the schema is of all inputs together
    value, errors = validate_input(found.validator, {"items": [given]} if gathers else given)
    if errors:
        raise InvalidInput(
            f"{len(errors)} problems in the input",
            errors=[
                FieldProblem(pointer=e.pointer, rule=e.rule, detail=e.detail)
                for e in errors[:ERRORS_MAX]
            ],
        )
    return value["items"][0] if gathers else value
