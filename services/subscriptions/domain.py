"""One event subscription: what may be done with it. Pure; times and sealed texts come in."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, assert_never

from libs.common.decider import Decider
from libs.common.errors import InvalidInput, NotFound
from services.subscriptions.contract import (
    SigningSecretRotated,
    SubscriptionChanged,
    SubscriptionCreated,
    SubscriptionDeleted,
    SubscriptionDisabled,
    SubscriptionEnabled,
    SubscriptionIsDisabled,
    SubscriptionPatch,
    TestSent,
)  # fmt: skip
from services.subscriptions.matching import check_filter

Made = (
    SubscriptionCreated | SubscriptionChanged | SubscriptionDisabled | SubscriptionEnabled
    | SubscriptionDeleted | SigningSecretRotated | TestSent
)  # fmt: skip
Where = dict[str, str | int | bool]


@dataclass(frozen=True, slots=True)
class Absent:
    """Never created, or deleted."""


@dataclass(frozen=True, slots=True)
class Live:
    id: str
    url: str
    host: str
    types: tuple[str, ...]
    created_at: datetime
    where: Where = field(default_factory=dict)
    disabled_reason: str | None = None
    disabled_at: datetime | None = None
    rotated_at: datetime | None = None
    old_valid_until: datetime | None = None


State = Absent | Live


@dataclass(frozen=True, slots=True)
class Create:
    id: str
    url: str
    host: str
    types: list[str]
    where: Where
    at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """`url` and `host` are None when the patch leaves them; the URL comes sealed."""

    patch: SubscriptionPatch
    url: str | None
    host: str | None


@dataclass(frozen=True, slots=True)
class Disable:
    reason: Literal["no-success", "gone"]
    failures: int
    last_status: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Enable:
    by: str


@dataclass(frozen=True, slots=True)
class Delete:
    by: str


@dataclass(frozen=True, slots=True)
class Rotate:
    by: str
    at: datetime
    old_valid_until: datetime


@dataclass(frozen=True, slots=True)
class SendTest:
    by: str


Ask = Create | Change | Disable | Enable | Delete | Rotate | SendTest


def decide(ask: Ask, state: State) -> list[Made]:
    match ask, state:
        case Create(), _:
            return _create(ask, state)
        case Disable(), Absent():
            return []
        case _, Absent():
            raise NotFound
        case Change(), Live():
            return _change(ask, state)
        case Disable(), Live():
            return _disable(ask, state)
        case Enable(), Live():
            if state.disabled_reason is None:
                return []
            return [SubscriptionEnabled(subscription_id=state.id, by=ask.by)]
        case Delete(), Live():
            return [SubscriptionDeleted(subscription_id=state.id, by=ask.by)]
        case Rotate(), Live():
            return [SigningSecretRotated(
                subscription_id=state.id, by=ask.by, rotated_at=ask.at,
                old_valid_until=ask.old_valid_until,
            )]  # fmt: skip
        case SendTest(), Live():
            if state.disabled_reason is not None:
                raise SubscriptionIsDisabled("enable it first")
            return [TestSent(subscription_id=state.id, by=ask.by)]
        case _:
            assert_never(ask)


def _create(ask: Create, state: State) -> list[Made]:
    if isinstance(state, Live):
        return []
    check_filter(ask.types, ask.where)
    return [SubscriptionCreated(
        subscription_id=ask.id, url=ask.url, host=ask.host, types=ask.types, where=ask.where,
        created_at=ask.at,
    )]  # fmt: skip


def _change(ask: Change, live: Live) -> list[Made]:
    patch, given = ask.patch, ask.patch.model_fields_set
    for name in ("url", "types"):
        if name in given and getattr(patch, name) is None:
            raise InvalidInput(f"{name} can be changed, not taken away")
    types = list(patch.types or live.types)
    where = dict(live.where)
    if "where" in given:
        where = _merged(where, patch.where)
    check_filter(types, where)
    same = ask.url is None and tuple(types) == live.types and where == live.where
    if same:
        return []
    return [SubscriptionChanged(
        subscription_id=live.id, url=ask.url or live.url, host=ask.host or live.host,
        types=types, where=where,
    )]  # fmt: skip


def _merged(where: Where, patch: dict[str, str | int | bool | None] | None) -> Where:
    """RFC 7396: null takes a name away, or, for the whole, every name."""
    if patch is None:
        return {}
    merged = {name: value for name, value in where.items() if name not in patch}
    return merged | {name: value for name, value in patch.items() if value is not None}


def _disable(ask: Disable, live: Live) -> list[Made]:
    if live.disabled_reason is not None:
        return []
    return [SubscriptionDisabled(
        subscription_id=live.id, reason=ask.reason, failures=ask.failures,
        last_status=ask.last_status, disabled_at=ask.at,
    )]  # fmt: skip


def evolve(state: State, event: Made) -> State:
    match state, event:
        case Absent(), SubscriptionCreated():
            return Live(
                id=event.subscription_id, url=event.url, host=event.host,
                types=tuple(event.types), where=dict(event.where), created_at=event.created_at,
            )  # fmt: skip
        case Live(), SubscriptionChanged():
            return replace(
                state, url=event.url, host=event.host, types=tuple(event.types),
                where=dict(event.where),
            )  # fmt: skip
        case Live(), SubscriptionDisabled():
            return replace(state, disabled_reason=event.reason, disabled_at=event.disabled_at)
        case Live(), SubscriptionEnabled():
            return replace(state, disabled_reason=None, disabled_at=None)
        case Live(), SigningSecretRotated():
            return replace(
                state, rotated_at=event.rotated_at, old_valid_until=event.old_valid_until
            )
        case Live(), SubscriptionDeleted():
            return Absent()
    return state


subscription: Decider[Ask, State] = Decider(Absent(), decide, evolve)
