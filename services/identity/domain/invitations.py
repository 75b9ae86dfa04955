"""The invitations of an organization: each is issued once, and ends once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from libs.common.errors import NotFound
from libs.common.messages import Event
from services.identity.contract import (
    ROLES,
    InvitationAccepted,
    InvitationExpired,
    InvitationForeign,
    InvitationInvalid,
    InvitationIssued,
    InvitationUsed,
    InvitationWithdrawn,
    LimitReached,
    MemberAdded,
    rank,
)
from services.identity.domain.caller import Caller

INVITATIONS_MAX = 50


@dataclass(frozen=True, slots=True)
class Invitations:
    issued: Mapping[str, InvitationIssued] = field(default_factory=dict)
    accepted: Mapping[str, str] = field(default_factory=dict)
    withdrawn: frozenset[str] = frozenset()

    def open(self) -> list[InvitationIssued]:
        ended = self.withdrawn | self.accepted.keys()
        return [one for one in self.issued.values() if one.invitation_id not in ended]


@dataclass(frozen=True, slots=True)
class Invite:
    """`fact` has the sealed address; who invites is the person behind `by`."""

    by: Caller
    fact: InvitationIssued


@dataclass(frozen=True, slots=True)
class Withdraw:
    by: Caller
    invitation_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Accept:
    """Somebody who signs up at this moment with the token of an invitation."""

    invitation_id: str
    person_id: str
    email_index: str
    at: datetime


def invite(command: Invite, state: Invitations) -> Sequence[Event]:
    """An open invitation to the same address is replaced, so that a lost link can be given anew."""
    fact, at = command.fact, command.fact.issued_at
    same = [one for one in state.open() if one.email_index == fact.email_index]
    waiting = [one for one in state.open() if one not in same and one.expires_at > at]
    if len(waiting) >= INVITATIONS_MAX:
        raise LimitReached(f"an organization has at most {INVITATIONS_MAX} open invitations",
                           limit=INVITATIONS_MAX)  # fmt: skip
    replaced = [
        InvitationWithdrawn(invitation_id=one.invitation_id, reason="replaced", withdrawn_at=at)
        for one in same
    ]
    return [*replaced, fact]


def withdraw(command: Withdraw, state: Invitations) -> Sequence[Event]:
    if command.invitation_id in state.accepted:
        raise InvitationUsed("the invited person has signed up")
    if command.invitation_id in state.withdrawn:
        return []
    gone = InvitationWithdrawn(
        invitation_id=command.invitation_id, reason="withdrawn", withdrawn_at=command.at
    )
    return [gone]


def accept(
    command: Accept, state: Invitations, members: Mapping[str, MemberAdded]
) -> Sequence[Event]:
    """The person becomes a member. An invitation is worth what its maker may still give."""
    fact = find(command.invitation_id, state, InvitationInvalid)
    accepted_by = state.accepted.get(fact.invitation_id)
    if accepted_by == command.person_id:
        return []
    if accepted_by is not None:
        raise InvitationUsed("somebody signed up with this invitation")
    if fact.invitation_id in state.withdrawn or not _may_invite(fact, members):
        raise InvitationInvalid("this invitation does not hold any more")
    if fact.expires_at <= command.at:
        raise InvitationExpired("this invitation has expired")
    if fact.email_index != command.email_index:
        raise InvitationForeign("this invitation is for another e-mail address")
    return [
        InvitationAccepted(
            invitation_id=fact.invitation_id, person_id=command.person_id, accepted_at=command.at
        ),
        MemberAdded(person_id=command.person_id, role=fact.role, added_at=command.at),
    ]


def find(
    invitation_id: str, state: Invitations, otherwise: type[Exception] = NotFound
) -> InvitationIssued:
    if invitation_id not in state.issued:
        raise otherwise
    return state.issued[invitation_id]


def _may_invite(fact: InvitationIssued, members: Mapping[str, MemberAdded]) -> bool:
    maker = members.get(fact.invited_by)
    return (
        maker is not None
        and "members:manage" in ROLES[maker.role]
        and rank(fact.role) <= rank(maker.role)
    )


def evolve(state: Invitations, event: Event) -> Invitations:
    match event:
        case InvitationIssued():
            return replace(state, issued={**state.issued, event.invitation_id: event})
        case InvitationAccepted():
            accepted = {**state.accepted, event.invitation_id: event.person_id}
            return replace(state, accepted=accepted)
        case InvitationWithdrawn():
            return replace(state, withdrawn=state.withdrawn | {event.invitation_id})
        case _:
            return state
