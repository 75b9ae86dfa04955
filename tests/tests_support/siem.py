"""A SIEM for tests: a receiver on a real socket, and audit that carries trails to it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse
from standardwebhooks import Webhook

from libs.common import ids
from libs.common.bus import CausedBy, reply
from libs.common.errors import NotFound
from libs.common.keys import FindKey, FindKeyById, KeyFound, OwnedKeyFound
from libs.common.messages import Meta
from libs.common.testing import eventually
from libs.trail.canonical import CLASSES
from services.audit.contract import (
    PRODUCERS,
    CreateSiemStream,
    FindSiemState,
    SiemStateShown,
    SiemStreamShown,
)
from services.identity.contract import NotificationRaisedShown, RaiseNotification
from tests.fakes.receiver import Receiver, Seen
from tests_support.producers import delete_streams

RIGHTS = frozenset({"audit:read", "audit:export"})
LINES = "application/x-ndjson"
ONE = "org_one"
STORED = """
select l.first, l.classes from audit_leaf l join trails t using (trail)
where t.org = %s order by l.first
"""
QUICK = {"siem_gather_s": 0.05, "siem_sweep_s": 0.05, "siem_timeout_s": 2.0}


@dataclass(eq=False)
class Siem:
    """`world` is that of the tests of audit; `notices` is what identity was asked to tell."""

    world: Any
    receiver: Receiver
    notices: list[tuple[str, RaiseNotification]]

    async def ask(self, message: Any, org: str = ONE, **more: Any) -> Any:
        given = {"organization": org, "actor": "per_1", "permissions": RIGHTS} | more
        return (await self.world.producers["identity"].bus.ask(message, Meta(**given))).value

    async def create(self, path: str = "/a", org: str = ONE, **fields: Any) -> SiemStreamShown:
        given = {"url": self.receiver.url + path, "format": "ocsf"} | fields
        made = await self.ask(CreateSiemStream.model_validate(given), org)
        return SiemStreamShown.model_validate(made)

    async def state(self, id: str, org: str = ONE) -> SiemStateShown:
        return SiemStateShown.model_validate(await self.ask(FindSiemState(stream=id), org))

    async def until(self, id: str, wanted: Any, org: str = ONE) -> SiemStateShown:
        async def look() -> SiemStateShown:
            return await self.state(id, org)

        return await eventually(look, wanted, 30)

    async def all_arrived(self, id: str, org: str = ONE) -> SiemStateShown:
        """Everything that was recorded is entered, and has arrived."""
        await self.world.complete(30)
        return await self.until(
            id, lambda s: not s.waiting and s.last_health_at and s.position == self.size(org), org
        )

    def size(self, org: str = ONE) -> int:
        return len(self.classes(org))

    def classes(self, org: str = ONE) -> list[str]:
        """The class of every entry of the organization's trail, as it is stored."""
        with self.world.as_administrator() as db:
            rows = db.execute(STORED, (org,)).fetchall()
        return [CLASSES[code] for _, codes in rows for code in codes]

    def substance(self, org: str = ONE) -> list[int]:
        """Numbers of the entries that a SIEM gets."""
        return [n for n, class_ in enumerate(self.classes(org)) if class_ != "transport"]

    def posts(self, path: str = "/a") -> list[Seen]:
        """Posts of entries that were answered with success."""
        return [s for s in self.receiver.arrived(path) if s.headers["content-type"] == LINES]

    def checks(self, path: str = "/a") -> list[Seen]:
        return [s for s in self.receiver.at(path) if s.headers["content-type"] != LINES]

    def entries(self, path: str = "/a") -> list[dict[str, Any]]:
        return [json.loads(line) for post in self.posts(path) for line in post.body.splitlines()]

    def numbers(self, path: str = "/a") -> list[int]:
        """Of entries that arrived, in the order in which they came."""
        return [e["seq"] if "seq" in e else e["metadata"]["sequence"] for e in self.entries(path)]


async def told(carried: Siem, name: str) -> list[dict[str, Any]]:
    """Facts of a kind in audit's own log."""
    with carried.world.as_administrator() as db:
        rows = db.execute(
            "select data from log where type = %s order by n", (f"audit.event.{name}",)
        )
        return [data for (data,) in rows.fetchall()]


def verified(secret: str | None, seen: Seen) -> Any:
    """By an implementation of Standard Webhooks that is not ours."""
    assert secret is not None
    hook = Webhook(secret)
    return hook.verify(seen.body, seen.headers, json_parse=False)  # lines are no document


@asynccontextmanager
async def siem(world: Any, receiver: Receiver, **settings: Any) -> AsyncIterator[Siem]:
    """On a world that is not started; starts it, and ends it."""
    notices: list[tuple[str, RaiseNotification]] = []
    allowed = QUICK | {"egress_allow": receiver.pair} | settings
    world.settings = world.settings.model_copy(update=allowed)
    world.now = world.now.replace(hour=10, minute=5)  # no day turns while a test counts
    world.parts = world.build()
    world.audit = world.parts.service
    world.producers["identity"].include(_identity(world, notices))
    try:
        for service in world.all():
            await service.start()
        yield Siem(world, receiver, notices)
    finally:
        for service in reversed(world.all()):
            await service.stop()
        await delete_streams(world.settings, "audit", *PRODUCERS)


def _identity(world: Any, notices: list[tuple[str, RaiseNotification]]) -> NatsRouter:
    """Identity as far as it is asked here: keys, for an audit in a process of its own, and the
    list of notifications."""
    r = NatsRouter()

    @r.subscriber(f"{FindKey.type}.*.*", queue="identity")
    async def find_key(query: FindKey) -> NatsResponse:
        found = await world.people.fetch(query.owner, query.purpose)
        if found is None:
            raise NotFound
        return reply(KeyFound(kid=found.kid, wrapped=found.wrapped))

    @r.subscriber(f"{FindKeyById.type}.*.*", queue="identity")
    async def find_key_by_id(query: FindKeyById) -> NatsResponse:
        found = await world.people.fetch_by_id(query.kid)
        if found is None:
            raise NotFound
        return reply(OwnedKeyFound(owner=found[0], kid=found[1].kid, wrapped=found[1].wrapped))

    @r.subscriber(RaiseNotification.type, queue="identity")
    async def raise_notification(command: RaiseNotification, meta: CausedBy) -> NatsResponse:
        notices.append((meta.organization, command))
        return reply(NotificationRaisedShown(id=ids.new("ntf")))

    return r
