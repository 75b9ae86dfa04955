"""Small deciders: the operator of the installation, the end of keys, and notifications."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from libs.common.decider import Decider
from libs.common.errors import NotFound
from libs.common.messages import Event
from services.identity.contract import (
    KeysDestroyed,
    NotificationRaised,
    NotificationRead,
    OperatorAppointed,
    SetUpAlready,
)


def _appoint(command: OperatorAppointed, state: str | None) -> Sequence[Event]:
    if state is not None:
        raise SetUpAlready("the installation has its operator already")
    return [command]


def _appointed(state: str | None, event: Event) -> str | None:
    return event.person_id if isinstance(event, OperatorAppointed) else state


operator: Decider[OperatorAppointed, str | None] = Decider(None, _appoint, _appointed)

destruction: Decider[KeysDestroyed, bool] = Decider(
    False,
    lambda command, done: [] if done else [command],
    lambda done, event: done or isinstance(event, KeysDestroyed),
)


@dataclass(frozen=True, slots=True)
class Notification:
    raised: NotificationRaised | None = None
    read: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Raise:
    fact: NotificationRaised


@dataclass(frozen=True, slots=True)
class Read:
    """Whether the person was told is known by the view that asks."""

    person_id: str
    at: datetime


def _decide_notification(command: Raise | Read, state: Notification) -> Sequence[Event]:
    match command:
        case Raise(fact):
            return [] if state.raised else [fact]
        case Read(person_id, at):
            if state.raised is None:
                raise NotFound
            if person_id in state.read:
                return []
            notification_id = state.raised.notification_id
            read = NotificationRead(
                notification_id=notification_id, person_id=person_id, read_at=at
            )
            return [read]
        case _:
            assert_never(command)


def _evolve_notification(state: Notification, event: Event) -> Notification:
    match event:
        case NotificationRaised():
            return replace(state, raised=event)
        case NotificationRead():
            return replace(state, read=state.read | {event.person_id})
        case _:
            return state


notification: Decider[Raise | Read, Notification] = Decider(
    Notification(), _decide_notification, _evolve_notification
)
