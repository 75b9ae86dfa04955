"""Links that sign a person in once, without the password, within minutes."""

from datetime import timedelta

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import ids
from libs.common.bus import CausedBy
from services.identity.contract import (
    SERVICE,
    CredentialInvalid,
    MakeSignInLink,
    OpenSessionByLink,
    SessionShown,
    SignInLinkShown,
)
from services.identity.domain.person import MakeLink, OpenByLink, Person, person
from services.identity.handlers.sessions import end, keep_session
from services.identity.onetime import find, keep
from services.identity.parts import Parts, a_person, acting, new_id, now, person_stream
from services.identity.tokens import new_token

VALID = timedelta(minutes=10)


def router(parts: Parts) -> NatsRouter:
    r = NatsRouter()
    service = parts.service

    @r.subscriber(MakeSignInLink.type, queue=SERVICE)
    async def make_sign_in_link(command: MakeSignInLink, meta: CausedBy) -> NatsResponse:
        me, token, expires_at = a_person(meta), new_token("sign-in-link"), now() + VALID
        link_id = new_id("lnk", meta, me)

        async def beside(db: AsyncConnection) -> None:
            await keep(db, "sign-in-link", token, link_id, me, expires_at)

        def shown(state: Person, _: int) -> SignInLinkShown:
            return SignInLinkShown(id=link_id, expires_at=state.links.get(link_id, expires_at))

        return await service.decide(
            person, person_stream(me), MakeLink(link_id, expires_at), acting(meta, "instance"),
            answer=shown, reveal={"token": token}, beside=beside,
        )  # fmt: skip

    @r.subscriber(OpenSessionByLink.type, queue=SERVICE)
    async def open_session_by_link(command: OpenSessionByLink, meta: CausedBy) -> NatsResponse:
        async with service.database.work() as db:
            link = await find(db, "sign-in-link", command.token)
        if link is None:
            raise CredentialInvalid("there is no such sign-in link")
        session_id, token, expires_at = ids.new("ses"), new_token("session"), end()

        async def beside(db: AsyncConnection) -> None:
            await keep_session(db, session_id, link.owner, token, expires_at)

        session = SessionShown(id=session_id, person=link.owner, expires_at=expires_at)
        return await service.decide(
            person, person_stream(link.owner), OpenByLink(link.id, session_id, expires_at, now()),
            acting(meta, "instance", link.owner), beside=beside, reveal={"token": token},
            answer=lambda _, version: session,
        )  # fmt: skip

    return r
