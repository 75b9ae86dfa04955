"""The installation: who operates it, and the one-time set-up."""

import hashlib
import hmac

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import ids
from libs.common.bus import CausedBy, reply
from libs.common.eventstore import append_within, stream_of
from libs.common.messages import Meta
from services.identity import reading
from services.identity.contract import (
    SERVICE,
    CredentialInvalid,
    FindInstance,
    FoundOrganization,
    InstanceShown,
    OperatorAppointed,
    RegisterPerson,
    SessionOpened,
    SessionShown,
    SetUpAlready,
    SetUpInstance,
    SetUpShown,
)
from services.identity.domain.organization import Found, Organization, organization
from services.identity.domain.small import operator
from services.identity.handlers.organizations import Founding, founding, keep_founding
from services.identity.handlers.people import Registration, keep_registration, registration
from services.identity.handlers.sessions import end, keep_session
from services.identity.parts import Parts, acting, organization_stream, person_stream
from services.identity.tokens import new_token

OPERATOR_STREAM = stream_of("operator", "instance")


def router(parts: Parts) -> NatsRouter:
    r = NatsRouter()

    @r.subscriber(SetUpInstance.type, queue=SERVICE)
    async def set_up_instance(command: SetUpInstance, meta: CausedBy) -> NatsResponse:
        digest = _right_token(parts, command)
        async with parts.service.database.work() as db:
            appointed = await reading.operator(db)
        if appointed is not None and meta.command_id is None:
            raise SetUpAlready("the installation has its operator already")
        return await _set_up(parts, command, digest, meta)

    @r.subscriber(FindInstance.type, queue=SERVICE)
    async def find_instance(query: FindInstance) -> NatsResponse:
        async with parts.service.database.work() as db:
            appointed = await reading.operator(db)
        sign_up = parts.settings.sign_up
        return reply(InstanceShown(set_up=appointed is not None, sign_up=sign_up))

    return r


def _right_token(parts: Parts, command: SetUpInstance) -> str:
    """The digest of the one-time token; any other token is CredentialInvalid."""
    wanted = parts.settings.operator_token
    digest = hashlib.sha256(command.token.encode()).hexdigest()
    expected = hashlib.sha256(
        wanted.get_secret_value().encode() if wanted is not None else b""
    ).hexdigest()
    if not hmac.compare_digest(digest, expected) or wanted is None:
        raise CredentialInvalid("this set-up link is not valid")
    return digest


async def _set_up(parts: Parts, command: SetUpInstance, digest: str, meta: Meta) -> NatsResponse:
    """Person, organization, appointment and session in one transaction, or nothing."""
    person_id = ids.derived("per", "operator", digest)
    organization_id = ids.derived("org", "operator", digest)
    session_id, token, expires_at = ids.new("ses"), new_token("session"), end()
    person = await registration(
        parts,
        RegisterPerson(
            name=command.name, email=command.email, password=command.password,
            old_enough=True, policies={},
        ),
        person_id,
    )  # fmt: skip
    home = await founding(
        parts, FoundOrganization(name=command.organization), organization_id, person_id
    )
    mine = acting(meta, "instance", person_id)
    opened = SessionOpened(session_id=session_id, method="set-up", expires_at=expires_at)

    async def beside(db: AsyncConnection) -> None:
        await _keep(db, person, home, opened, mine)
        await keep_session(db, session_id, person_id, token, expires_at)

    session = SessionShown(id=session_id, person=person_id, expires_at=expires_at, token=token)
    return await parts.service.decide(
        operator, OPERATOR_STREAM, OperatorAppointed(person_id=person_id, how="first-start"),
        mine, reveal={"session": session.model_dump(mode="json")}, beside=beside,
        answer=lambda _, version: SetUpShown(person=person.shown, organization=home.shown),
    )  # fmt: skip


async def _keep(
    db: AsyncConnection, person: Registration, home: Founding, opened: SessionOpened, meta: Meta
) -> None:
    await keep_registration(db, person, meta)
    await append_within(db, person_stream(person.fact.person_id), [person.fact, opened], meta)
    there = acting(meta, home.fact.organization_id)
    await keep_founding(db, home, there)
    facts = organization.decide(Found(home.fact), Organization())
    await append_within(db, organization_stream(home.fact.organization_id), facts, there)
