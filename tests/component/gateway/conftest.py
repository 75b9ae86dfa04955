"""A gateway on the real bus, with services that answer what a test tells them to."""

import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest
from faststream.nats import NatsMessage, NatsRouter
from faststream.nats.response import NatsResponse
from nats.aio.msg import Msg
from tests_support.servers import Servers

from libs.common.bus import CausedBy, reply
from libs.common.bus_service import BusService
from libs.common.errors import NotFound
from libs.common.keys import FindKey, KeyFound
from libs.common.messages import Ask, Event, Meta, Recorded, ask_on, encode_batch
from libs.common.privacy import wrap
from libs.common.testing import arrived, environment, eventually
from services.executor.work import SUBJECT, Start, StartAnswer, decode_start, encode
from services.gateway.app import build
from services.gateway.front import Front
from services.gateway.settings import GatewaySettings
from services.identity.contract import (
    CallerShown,
    CredentialInvalid,
    FindCaller,
    MyOrganizationShown,
    OrganizationResolved,
    RecordAccess,
    ResolveOrganization,
    Role,
)

KEK = b"k" * 32
ORG = "org_1"
Answers = Callable[[Any, Meta], Any]


def caller(*permissions: str, **changed: Any) -> CallerShown:
    """A person who is owner of `org_1` with these permissions."""
    mine = MyOrganizationShown(id=ORG, slug="acme", name="Acme", role=Role.OWNER)
    return CallerShown(
        **{
            "actor": "per_1", "person_id": "per_1", "key_id": None, "session_id": "ses_1",
            "organizations": [mine], "organization": mine, "role": Role.OWNER,
            "permissions": list(permissions), "expires_at": None, "instance_operator": False,
            **changed,
        }
    )  # fmt: skip


class World:
    """The services around the gateway: `on` says what they answer, `asked` what they heard."""

    def __init__(self, service: BusService, front: Front, around: BusService) -> None:
        self.service, self.front, self.around = service, front, around
        self.asked: list[tuple[Any, Meta]] = []
        self.started: list[Start] = []
        self.answers: dict[str, Answers] = {}
        self.starting: Callable[[Start], list[StartAnswer]] = started
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(front, client=("127.0.0.1", 4321)),
            base_url="http://troth.test",
        )  # fmt: skip

    def on(self, kind: type[Ask], answer: Answers) -> None:
        self.answers[kind.type] = answer

    def heard(self, kind: type[Ask]) -> list[Any]:
        return [message for message, _ in self.asked if isinstance(message, kind)]

    def metas(self, kind: type[Ask]) -> list[Meta]:
        return [meta for message, meta in self.asked if isinstance(message, kind)]

    def may(self, *permissions: str, **changed: Any) -> None:
        self.on(FindCaller, lambda m, meta: caller(*permissions, **changed))

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """As somebody who is signed in."""
        headers = {"Authorization": "Bearer troth_1", **more.pop("headers", {})}
        return await self.http.request(method, path, headers=headers, **more)

    async def happen(self, *events: Event, organization: str = ORG) -> None:
        """Events pass on the bus, as a relay publishes them."""
        service = events[0].type.partition(".")[0]
        made = [_recorded(n, event, organization) for n, event in enumerate(events, 1)]
        await self.around.bus.nc.publish(f"{service}.event.batch.0", encode_batch(made))
        await arrived(self.around.bus.nc)
        await arrived(self.service.bus.nc)

    async def handle_start(self, message: Msg) -> None:
        start = decode_start(message.data)
        self.started.append(start)
        for answer in self.starting(start):
            await self.around.bus.nc.publish(start.reply, encode(answer))


def started(start: Start) -> list[StartAnswer]:
    return [StartAnswer("started", start.execution, start.call)]


def _recorded(n: int, event: Event, organization: str) -> Recorded:
    return Recorded(
        id=f"id-{n}", source="/services/x", type=event.type, subject=f"thing-{organization}-1",
        time=datetime.now(UTC), organization=organization, streamversion=n, sequence=n,
        actor="per_1", data=msgspec.Raw(event.model_dump_json().encode()),
    )  # fmt: skip


async def _opened(front: Front) -> bool:
    return front.door.opened


def find_key(query: FindKey, meta: Meta) -> KeyFound:
    kid = f"{query.owner}-{query.purpose}"
    return KeyFound(kid=kid, wrapped=wrap(KEK, kid, kid.encode().ljust(32, b"x")))


def resolve(query: ResolveOrganization, meta: Meta) -> OrganizationResolved:
    if query.name not in (ORG, "acme"):
        raise NotFound()
    return OrganizationResolved(id=ORG, slug="acme")


def nobody(query: FindCaller, meta: Meta) -> CallerShown:
    raise CredentialInvalid("unknown")


def _router(world: World) -> NatsRouter:
    """Answers every command and query there is; what a test did not say is not found."""
    router = NatsRouter()

    @router.subscriber("*.command.*", queue="around")
    @router.subscriber("*.query.*", queue="around")
    @router.subscriber(f"{FindKey.type}.*.gateway", queue="around")
    async def handle(sent: NatsMessage, meta: CausedBy) -> NatsResponse:
        kind = ask_on(sent.raw_message.subject)
        assert kind is not None, "nothing else is asked"
        message = kind.model_validate_json(sent.body)
        world.asked.append((message, meta))
        answer = world.answers.get(kind.type)
        if answer is None:
            raise NotFound()
        made = answer(message, meta)
        return made if isinstance(made, NatsResponse) else reply(made)

    return router


@pytest.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    os.environ |= environment(["gateway", "admin"], servers.nats_url, servers.admin_url)
    settings = GatewaySettings()  # pyright: ignore[reportCallIssue] - read from the environment
    service, front = build(settings)
    around = BusService("admin", settings)
    made = World(service, front, around)
    made.on(FindKey, find_key)
    made.on(FindCaller, nobody)
    made.on(ResolveOrganization, resolve)
    made.on(RecordAccess, lambda m, meta: {"count": len(m.reports)})
    around.include(_router(made))
    await around.start()
    await around.bus.nc.subscribe(SUBJECT, cb=made.handle_start)
    await arrived(around.bus.nc)
    await service.start()
    await eventually(lambda: _opened(front), bool)
    await arrived(service.bus.nc)
    yield made
    await made.http.aclose()
    await service.stop()
    await around.stop()
