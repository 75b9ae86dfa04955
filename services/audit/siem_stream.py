"""One live stream to a SIEM: what may be done with it. Pure; times and sealed texts come in."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from libs.common.decider import Decider
from libs.common.errors import InvalidInput, NotFound
from services.audit.contract.proof import ExportFormat
from services.audit.contract.siem import (
    HeaderName,
    SiemSecretRotated,
    SiemStreamChanged,
    SiemStreamCreated,
    SiemStreamDeleted,
    SiemStreamPatch,
)

Made = SiemStreamCreated | SiemStreamChanged | SiemSecretRotated | SiemStreamDeleted
KEPT = ("url", "format", "authorization_header", "loss_window_days")


@dataclass(frozen=True, slots=True)
class Absent:
    """Never created, or deleted."""


@dataclass(frozen=True, slots=True)
class Live:
    id: str
    url: str
    host: str
    format: ExportFormat
    authorized: bool
    authorization_header: HeaderName
    loss_window_days: int
    created_at: datetime


State = Absent | Live


@dataclass(frozen=True, slots=True)
class Create:
    live: Live
    by: str


@dataclass(frozen=True, slots=True)
class Change:
    """`url` and `host` are None when the patch leaves them; the URL comes sealed."""

    patch: SiemStreamPatch
    url: str | None
    host: str | None
    by: str


@dataclass(frozen=True, slots=True)
class Rotate:
    old_valid_until: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Delete:
    by: str


Ask = Create | Change | Rotate | Delete


def decide(ask: Ask, state: State) -> list[Made]:
    match ask, state:
        case Create(), _:
            return _create(ask, state)
        case _, Absent():
            raise NotFound
        case Change(), Live():
            return _change(ask, state)
        case Rotate(), Live():
            return [SiemSecretRotated(
                siem_stream_id=state.id, old_valid_until=ask.old_valid_until, by=ask.by
            )]  # fmt: skip
        case Delete(), Live():
            return [SiemStreamDeleted(siem_stream_id=state.id, by=ask.by)]
        case _:
            assert_never(ask)


def _create(ask: Create, state: State) -> list[Made]:
    if isinstance(state, Live):
        return []
    live = ask.live
    return [SiemStreamCreated(
        siem_stream_id=live.id, url=live.url, host=live.host, format=live.format,
        authorized=live.authorized, authorization_header=live.authorization_header,
        loss_window_days=live.loss_window_days, created_at=live.created_at, by=ask.by,
    )]  # fmt: skip


def _change(ask: Change, live: Live) -> list[Made]:
    """A new authorization is a change, whatever the old one was."""
    patch, given = ask.patch, ask.patch.model_fields_set
    for name in KEPT:
        if name in given and getattr(patch, name) is None:
            raise InvalidInput(f"{name} can be changed, not taken away")
    renewed = "authorization" in given
    new = replace(
        live, url=ask.url or live.url, host=ask.host or live.host,
        format=patch.format or live.format,
        authorized=patch.authorization is not None if renewed else live.authorized,
        authorization_header=patch.authorization_header or live.authorization_header,
        loss_window_days=patch.loss_window_days or live.loss_window_days,
    )  # fmt: skip
    if new == live and not (renewed and new.authorized):
        return []
    return [SiemStreamChanged(
        siem_stream_id=new.id, url=new.url, host=new.host, format=new.format,
        authorized=new.authorized, authorization_header=new.authorization_header,
        loss_window_days=new.loss_window_days, by=ask.by,
    )]  # fmt: skip


def evolve(state: State, event: Made) -> State:
    match state, event:
        case Absent(), SiemStreamCreated():
            return Live(
                event.siem_stream_id, event.url, event.host, event.format, event.authorized,
                event.authorization_header, event.loss_window_days, event.created_at,
            )  # fmt: skip
        case Live(), SiemStreamChanged():
            return replace(
                state, url=event.url, host=event.host, format=event.format,
                authorized=event.authorized, authorization_header=event.authorization_header,
                loss_window_days=event.loss_window_days,
            )  # fmt: skip
        case Live(), SiemStreamDeleted():
            return Absent()
    return state


siem_stream: Decider[Ask, State] = Decider(Absent(), decide, evolve)
