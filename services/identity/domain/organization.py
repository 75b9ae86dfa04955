"""An organization: its members with their roles, and its API keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from libs.common.decider import Decider
from libs.common.errors import FieldProblem, Forbidden, InvalidInput, NotFound
from libs.common.messages import Event
from services.identity.contract import (
    ALL_API_KEYS,
    PERMISSIONS,
    ROLES,
    ApiKeyCreated,
    ApiKeyRevoked,
    InvitationAccepted,
    InvitationIssued,
    InvitationWithdrawn,
    LastOwner,
    LimitReached,
    MemberAdded,
    MemberExists,
    MemberRemoved,
    MemberRoleChanged,
    OrganizationExists,
    OrganizationFounded,
    Role,
    RoleAboveOwn,
    ScopeAboveOwn,
    rank,
)
from services.identity.domain import invitations
from services.identity.domain.caller import Caller as Caller
from services.identity.domain.invitations import Accept, Invitations, Invite, Withdraw

API_KEYS_MAX = 50


@dataclass(frozen=True, slots=True)
class Organization:
    founded: OrganizationFounded | None = None
    members: Mapping[str, MemberAdded] = field(default_factory=dict)
    keys: Mapping[str, ApiKeyCreated] = field(default_factory=dict)
    revoked: Mapping[str, datetime] = field(default_factory=dict)
    invitations: Invitations = field(default_factory=Invitations)


@dataclass(frozen=True, slots=True)
class Found:
    fact: OrganizationFounded


@dataclass(frozen=True, slots=True)
class Add:
    by: Caller
    person_id: str
    role: Role
    at: datetime


@dataclass(frozen=True, slots=True)
class GiveRole:
    by: Caller
    person_id: str
    role: Role


@dataclass(frozen=True, slots=True)
class Remove:
    by: Caller
    person_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CreateKey:
    """`name` is sealed; scopes are checked against what the creator may now."""

    by: Caller
    key_id: str
    name: str
    scopes: Sequence[str]
    expires_at: datetime | None
    at: datetime


@dataclass(frozen=True, slots=True)
class RevokeKey:
    by: Caller
    key_id: str
    at: datetime


Change = Found | Add | GiveRole | Remove | CreateKey | RevokeKey | Invite | Withdraw | Accept


def decide(command: Change, state: Organization) -> Sequence[Event]:
    if isinstance(command, Found):
        return _found(command.fact, state)
    if state.founded is None:
        raise NotFound
    match command:
        case Add():
            return _add(command, state)
        case GiveRole():
            return _give_role(command, state)
        case Remove():
            return _remove(command, state)
        case CreateKey():
            return _create_key(command, state)
        case RevokeKey():
            return _revoke_key(command, state)
        case Invite():
            _may_give(command.by, command.fact.role, state)
            return invitations.invite(command, state.invitations)
        case Withdraw():
            invited = invitations.find(command.invitation_id, state.invitations)
            _may_give(command.by, invited.role, state)
            return invitations.withdraw(command, state.invitations)
        case Accept():
            return invitations.accept(command, state.invitations, state.members)
        case _:
            assert_never(command)


def _found(fact: OrganizationFounded, state: Organization) -> Sequence[Event]:
    if state.founded is not None:
        raise OrganizationExists
    owner = MemberAdded(person_id=fact.owner_id, role=Role.OWNER, added_at=fact.founded_at)
    return [fact, owner]


def _add(command: Add, state: Organization) -> Sequence[Event]:
    _may_give(command.by, command.role, state)
    if command.person_id in state.members:
        raise MemberExists
    return [MemberAdded(person_id=command.person_id, role=command.role, added_at=command.at)]


def _give_role(command: GiveRole, state: Organization) -> Sequence[Event]:
    before = _member(command.person_id, state).role
    _may_give(command.by, command.role, state)
    _may_give(command.by, before, state)
    if before == command.role:
        return []
    if before == Role.OWNER:
        _one_owner_stays(command.person_id, state)
    changed = MemberRoleChanged(person_id=command.person_id, from_role=before, to_role=command.role)
    return [changed]


def _remove(command: Remove, state: Organization) -> Sequence[Event]:
    before = _member(command.person_id, state).role
    _may_give(command.by, before, state)
    if before == Role.OWNER:
        _one_owner_stays(command.person_id, state)
    left = command.person_id == person_behind(command.by.actor, state)
    gone = MemberRemoved(person_id=command.person_id, reason="left" if left else "removed")
    theirs = [k for k, key in active_keys(state).items() if key.created_by == command.person_id]
    return [gone] + [
        ApiKeyRevoked(key_id=key_id, reason="creator-left", revoked_at=command.at)
        for key_id in theirs
    ]


def _create_key(command: CreateKey, state: Organization) -> Sequence[Event]:
    creator = person_behind(command.by.actor, state)
    _known_scopes(command.scopes)
    if command.expires_at is not None and command.expires_at <= command.at:
        _invalid("/expires_at", "in-the-past", "an API key expires after it was made")
    allowed = ROLES[_member(creator, state).role] & command.by.granted
    if above := sorted(set(command.scopes) - allowed):
        raise ScopeAboveOwn(f"you do not have {', '.join(above)} yourself")
    alive = [k for k in active_keys(state).values() if not _expired(k, command.at)]
    if len(alive) >= API_KEYS_MAX:
        raise LimitReached(f"an organization has at most {API_KEYS_MAX} API keys",
                           limit=API_KEYS_MAX)  # fmt: skip
    created = ApiKeyCreated(
        key_id=command.key_id, name=command.name, scopes=sorted(set(command.scopes)),
        expires_at=command.expires_at, created_by=creator, created_at=command.at,
    )  # fmt: skip
    return [created]


def _revoke_key(command: RevokeKey, state: Organization) -> Sequence[Event]:
    key = state.keys.get(command.key_id)
    me = person_behind(command.by.actor, state)
    everybodys = _member(me, state).role in ALL_API_KEYS
    if key is None or (key.created_by != me and not everybodys):
        raise NotFound
    if command.key_id in state.revoked:
        return []
    revoked = ApiKeyRevoked(key_id=command.key_id, reason="revoked", revoked_at=command.at)
    return [revoked]


def person_behind(actor: str, state: Organization) -> str:
    """The person of a caller: of an API key the one who made it."""
    if actor in state.keys and actor not in state.revoked:
        return state.keys[actor].created_by
    return actor


def active_keys(state: Organization) -> dict[str, ApiKeyCreated]:
    return {k: key for k, key in state.keys.items() if k not in state.revoked}


def _expired(key: ApiKeyCreated, at: datetime) -> bool:
    return key.expires_at is not None and key.expires_at <= at


def _member(person_id: str, state: Organization) -> MemberAdded:
    if person_id not in state.members:
        raise NotFound
    return state.members[person_id]


def _may_give(by: Caller, role: Role, state: Organization) -> None:
    """Nobody gives, changes or takes a role above their own; a key not more than its scopes."""
    own = state.members.get(person_behind(by.actor, state))
    if own is None:
        raise Forbidden("you are no member here")
    within = not by.actor.startswith("key_") or ROLES[role] <= by.granted
    if rank(role) > rank(own.role) or not within:
        raise RoleAboveOwn(f"{role} is above what you may give or take")


def _one_owner_stays(but: str, state: Organization) -> None:
    owners = [p for p, member in state.members.items() if member.role == Role.OWNER and p != but]
    if not owners:
        raise LastOwner("an organization keeps at least one owner")


def _known_scopes(scopes: Sequence[str]) -> None:
    for i, scope in enumerate(scopes):
        if scope not in PERMISSIONS:
            _invalid(f"/scopes/{i}", "unknown-permission", f"there is no permission {scope}")


def _invalid(pointer: str, rule: str, detail: str) -> None:
    raise InvalidInput(detail, errors=[FieldProblem(pointer=pointer, rule=rule, detail=detail)])


def evolve(state: Organization, event: Event) -> Organization:
    match event:
        case OrganizationFounded():
            return replace(state, founded=event)
        case MemberAdded():
            return replace(state, members={**state.members, event.person_id: event})
        case MemberRoleChanged():
            changed = state.members[event.person_id].model_copy(update={"role": event.to_role})
            return replace(state, members={**state.members, event.person_id: changed})
        case MemberRemoved():
            left = {k: v for k, v in state.members.items() if k != event.person_id}
            return replace(state, members=left)
        case ApiKeyCreated():
            return replace(state, keys={**state.keys, event.key_id: event})
        case ApiKeyRevoked():
            return replace(state, revoked={**state.revoked, event.key_id: event.revoked_at})
        case InvitationIssued() | InvitationAccepted() | InvitationWithdrawn():
            return replace(state, invitations=invitations.evolve(state.invitations, event))
        case _:
            return state


organization: Decider[Change, Organization] = Decider(Organization(), decide, evolve)
