"""Sign-up."""

from collections.abc import Mapping
from dataclasses import dataclass

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.bus import CausedBy
from libs.common.eventstore import append_within
from libs.common.messages import Meta
from services.identity import emails, onetime, passwords, tables
from services.identity.contract import (
    SERVICE,
    EmailTaken,
    InvitationInvalid,
    InvitationNeeded,
    PersonRegistered,
    PersonShown,
    RegisterPerson,
    SignUpClosed,
)
from services.identity.domain.invitations import Accept
from services.identity.domain.organization import organization
from services.identity.domain.person import Register, person
from services.identity.parts import (
    PERSON_PURPOSES,
    Parts,
    acting,
    key_facts,
    keys_stream,
    new_id,
    now,
    organization_stream,
    person_stream,
)


def router(parts: Parts) -> NatsRouter:
    r = NatsRouter()

    @r.subscriber(RegisterPerson.type, queue=SERVICE)
    async def register_person(command: RegisterPerson, meta: CausedBy) -> NatsResponse:
        if parts.settings.sign_up == "closed":
            raise SignUpClosed("nobody can sign up here")
        if command.invitation is not None:
            return await _sign_up_invited(parts, command, command.invitation, meta)
        if parts.settings.sign_up == "invited":
            raise InvitationNeeded("only who was invited can sign up here")
        new = await registration(parts, command, new_id("per", meta))
        mine = acting(meta, "instance", new.fact.person_id)

        async def beside(db: AsyncConnection) -> None:
            await keep_registration(db, new, mine)

        return await parts.service.decide(
            person, person_stream(new.fact.person_id), Register(new.fact), mine,
            answer=lambda _, version: new.shown, beside=beside,
        )  # fmt: skip

    return r


async def _sign_up_invited(
    parts: Parts, command: RegisterPerson, token: str, meta: Meta
) -> NatsResponse:
    """A person who is a member from the first moment: both in one transaction, or nothing."""
    async with parts.service.database.work() as db:
        invitation = await onetime.find(db, "invitation", token)
    if invitation is None:
        raise InvitationInvalid("there is no such invitation")
    stream, person_id = organization_stream(invitation.owner), new_id("per", meta)
    index = emails.index_of(parts.settings.index_bytes, command.email)
    accept = Accept(invitation.id, person_id, index, now())
    state, _, _ = await parts.service.store.state(organization, stream)
    organization.decide(accept, state)
    new = await registration(parts, command, person_id)
    mine = acting(meta, "instance", person_id)

    async def beside(db: AsyncConnection) -> None:
        await keep_registration(db, new, mine)
        await append_within(db, person_stream(person_id), [new.fact], mine)

    return await parts.service.decide(
        organization, stream, accept, acting(meta, invitation.owner, person_id),
        answer=lambda _, version: new.shown, beside=beside,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Registration:
    """A person about to be recorded: sealed fact, hash of the password, keys, and the answer."""

    fact: PersonRegistered
    hashed: str
    kids: Mapping[str, str]
    shown: PersonShown


async def registration(parts: Parts, command: RegisterPerson, person_id: str) -> Registration:
    """Refuses what can't be registered before a key or a hash is made."""
    email = emails.checked(command.email)
    passwords.check(command.password)
    index = emails.index_of(parts.settings.index_bytes, email)
    async with parts.service.database.work() as db:
        if await _holder(db, index) not in (None, person_id):
            raise EmailTaken("somebody signed up with this e-mail address before")
    hashed = await parts.hasher.hash(command.password)
    kids = await parts.keystore.ensure(person_id, PERSON_PURPOSES)
    keys, stream = parts.service.keys, person_stream(person_id)
    fact = PersonRegistered(
        person_id=person_id,
        name=await keys.seal(person_id, "profile", stream, command.name),
        email=await keys.seal(person_id, "profile", stream, email),
        email_index=index, old_enough=command.old_enough, policies=command.policies,
        password_scheme=parts.hasher.scheme, registered_at=now(),
    )  # fmt: skip
    shown = PersonShown(
        id=person_id, name=command.name, email=email, policies=fact.policies,
        created_at=fact.registered_at,
    )  # fmt: skip
    return Registration(fact, hashed, kids, shown)


async def keep_registration(db: AsyncConnection, new: Registration, meta: Meta) -> None:
    """Takes the e-mail address, keeps the hash, says which keys were made."""
    fact = new.fact
    taken = insert(tables.emails).on_conflict_do_nothing()
    await db.execute(taken.values(email_index=fact.email_index, person_id=fact.person_id))
    if await _holder(db, fact.email_index) != fact.person_id:
        raise EmailTaken("somebody signed up with this e-mail address before")
    kept = insert(tables.passwords).on_conflict_do_nothing()
    await db.execute(
        kept.values(person_id=fact.person_id, hash=new.hashed, scheme=fact.password_scheme)
    )
    await append_within(db, keys_stream(fact.person_id), key_facts(fact.person_id, new.kids), meta)


async def _holder(db: AsyncConnection, index: str) -> str | None:
    found = await db.execute(
        select(tables.emails.c.person_id).where(tables.emails.c.email_index == index)
    )
    return found.scalar_one_or_none()
