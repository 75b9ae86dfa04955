"""A person: registered once, with the sessions that are open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from libs.common.decider import Decider
from libs.common.errors import NotFound
from libs.common.messages import Event
from services.identity.contract import (
    CredentialInvalid,
    EmailTaken,
    PasswordChanged,
    PersonRegistered,
    SessionClosed,
    SessionOpened,
    SignInLinkMade,
    SignInLinkUsed,
)


@dataclass(frozen=True, slots=True)
class Person:
    id: str | None = None
    scheme: str = ""
    registered_at: datetime | None = None
    policies: Mapping[str, str] = field(default_factory=dict)
    sessions: Mapping[str, datetime] = field(default_factory=dict)
    links: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Register:
    """Sealed name and e-mail, and what the hash of the password is made with."""

    fact: PersonRegistered


@dataclass(frozen=True, slots=True)
class Open:
    """The password was right; `scheme` is what its hash is made with now."""

    session_id: str
    expires_at: datetime
    scheme: str


@dataclass(frozen=True, slots=True)
class Close:
    session_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class MakeLink:
    """A link that signs the person in once."""

    link_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class OpenByLink:
    link_id: str
    session_id: str
    expires_at: datetime
    at: datetime


Change = Register | Open | Close | MakeLink | OpenByLink


def decide(command: Change, state: Person) -> Sequence[Event]:
    match command:
        case Register(fact):
            if state.id is not None:
                raise EmailTaken
            return [fact]
        case Open(session_id, expires_at, scheme):
            if state.id is None:
                raise CredentialInvalid
            opened = SessionOpened(session_id=session_id, method="password", expires_at=expires_at)
            if scheme == state.scheme:
                return [opened]
            return [PasswordChanged(reason="rehashed", scheme=scheme), opened]
        case Close(session_id, reason):
            if session_id not in state.sessions:
                raise NotFound
            return [SessionClosed(session_id=session_id, reason=reason)]
        case MakeLink(link_id, expires_at):
            if state.id is None:
                raise NotFound
            return [SignInLinkMade(link_id=link_id, expires_at=expires_at)]
        case OpenByLink(link_id, session_id, expires_at, at):
            if link_id not in state.links or state.links[link_id] <= at:
                raise CredentialInvalid("this link was used before, or is too old")
            opened = SessionOpened(session_id=session_id, method="link", expires_at=expires_at)
            return [SignInLinkUsed(link_id=link_id), opened]
        case _:
            assert_never(command)


def evolve(state: Person, event: Event) -> Person:
    match event:
        case PersonRegistered():
            return replace(
                state,
                id=event.person_id,
                scheme=event.password_scheme,
                registered_at=event.registered_at,
                policies=event.policies,
            )
        case PasswordChanged():
            return replace(state, scheme=event.scheme)
        case SessionOpened():
            opened = {**state.sessions, event.session_id: event.expires_at}
            return replace(state, sessions=opened)
        case SessionClosed():
            left = {k: v for k, v in state.sessions.items() if k != event.session_id}
            return replace(state, sessions=left)
        case SignInLinkMade():
            return replace(state, links={**state.links, event.link_id: event.expires_at})
        case SignInLinkUsed():
            unused = {k: v for k, v in state.links.items() if k != event.link_id}
            return replace(state, links=unused)
        case _:
            return state


person: Decider[Change, Person] = Decider(Person(), decide, evolve)
