"""Starting an execution: a sealed item on the WORK queue, and waiting for what became of it."""

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import msgspec
import nats.errors
from nats.aio.msg import Msg

from libs.common import ids
from libs.common.bus import Bus
from libs.common.errors import Unavailable
from libs.common.privacy import Forgotten, KeyRing
from services.executor.work import PURPOSE, SUBJECT, Start, StartAnswer, decode_answer, encode
from services.gateway.refusals import TooManyRunning

FIRST_ANSWER_S = 5.0
UNANSWERED_MAX = 64
PLACE_WAIT_S = 1.0


@dataclass(slots=True)
class Order:
    """What is to be started; `key` is the caller's key or one that we made."""

    kind: str
    organization: str
    name: str
    key: str
    payload: dict[str, Any]
    body: bytes
    actor: str
    request_id: str
    call: str = field(default_factory=lambda: ids.new("call"))
    path: str | None = None
    workflow: str | None = None
    version: int | None = None
    result: bool = False
    wait_s: float = 0
    origin: str | None = None
    traceparent: str | None = None


class _Waiting:
    """The two answers that may come for one start."""

    __slots__ = ("ended", "first")

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.first: asyncio.Future[StartAnswer] = loop.create_future()
        self.ended: asyncio.Future[StartAnswer] = loop.create_future()


class Starts:
    """One inbox for all starts of this process; at most 64 unanswered per organization."""

    def __init__(self, bus: Bus, keys: KeyRing) -> None:
        self._bus, self._keys = bus, keys
        self._inbox = f"_INBOX_gateway.{secrets.token_hex(11)}"
        self._waiting: dict[str, _Waiting] = {}
        self._places: dict[str, asyncio.Semaphore] = {}

    async def open(self) -> None:
        await self._bus.nc.subscribe(f"{self._inbox}.*", cb=self._answered)

    @property
    def unanswered(self) -> int:
        return len(self._waiting)

    async def _answered(self, message: Msg) -> None:
        waiting = self._waiting.get(message.subject)
        if waiting is None:
            return
        answer = decode_answer(message.data)
        if not waiting.first.done():
            waiting.first.set_result(answer)
        if answer.status != "started" and not waiting.ended.done():
            waiting.ended.set_result(answer)

    async def start(self, order: Order) -> StartAnswer:
        """The start's answer, or its end when that comes within `wait_s`.

        Raises Unavailable after five seconds, TooManyRunning when 64 others wait.
        """
        if not self._bus.connected:
            raise Unavailable("the bus does not answer", part="bus")
        begun = time.monotonic()
        inbox = f"{self._inbox}.{secrets.token_hex(8)}"
        place = await self._place(order.organization)
        waiting = self._waiting[inbox] = _Waiting()
        try:
            try:
                await self._publish(await self._item(order, inbox))
                async with asyncio.timeout(FIRST_ANSWER_S):
                    answer = await waiting.first
            except (TimeoutError, nats.errors.Error, OSError) as error:
                raise Unavailable("no executor took it in time", part="executor") from error
            finally:
                self._give_back(order.organization, place)
            left = order.wait_s - (time.monotonic() - begun)
            if answer.status == "started" and order.result and left > 0:
                try:
                    async with asyncio.timeout(left):
                        return await waiting.ended
                except TimeoutError:
                    return answer
            return answer
        finally:
            del self._waiting[inbox]

    async def _place(self, organization: str) -> asyncio.Semaphore:
        place = self._places.get(organization)
        if place is None:
            place = self._places[organization] = asyncio.Semaphore(UNANSWERED_MAX)
        if not place.locked():
            await place.acquire()
            return place
        try:
            async with asyncio.timeout(PLACE_WAIT_S):
                await place.acquire()
        except TimeoutError:
            raise TooManyRunning(
                f"{UNANSWERED_MAX} starts wait for their answer", limit=UNANSWERED_MAX
            ) from None
        return place

    def _give_back(self, organization: str, place: asyncio.Semaphore) -> None:
        place.release()
        if place._value == UNANSWERED_MAX:
            self._places.pop(organization, None)

    async def _item(self, order: Order, inbox: str) -> Start:
        organization = order.organization
        key = self._keys.at_hand(organization, PURPOSE)
        if key is None:
            try:
                key = await self._keys.key(organization, PURPOSE)
            except Forgotten:
                raise Unavailable("the organization's keys are gone", part="identity") from None
        wait_s = order.wait_s if order.result else 0
        return Start(
            kind="webhook" if order.kind == "webhook" else "manual", organization=organization,
            execution=execution_id(organization, order.kind, order.name, order.key),
            call=order.call,
            payload=key.seal(order.payload, f"call-{organization}-{order.call}"),
            body_digest=key.digest(order.body, "body"), key_digest=key.digest(order.key, "key"),
            reply=inbox, deadline_ms=int((time.time() + FIRST_ANSWER_S) * 1000),
            actor=order.actor, request_id=order.request_id, path=order.path,
            workflow=order.workflow, version=order.version,
            respond="result" if order.result else "accepted", wait_s=wait_s,
            origin=order.origin, traceparent=order.traceparent, bytes=len(order.body),
        )  # fmt: skip

    async def _publish(self, item: Start) -> None:
        """Without waiting for JetStream's ack: the executor's answer is the promise."""
        headers = {"Nats-Msg-Id": secrets.token_hex(12)}
        await self._bus.nc.publish(SUBJECT, encode(item), headers=headers)


def execution_id(organization: str, kind: str, name: str, key: str) -> str:
    """The same for the same key: so a second call meets the first."""
    return ids.derived("exe", organization, "hook" if kind == "webhook" else "manual", name, key)


def raw(body: bytes) -> msgspec.Raw:
    """JSON that was checked already, taken into a payload as it is."""
    return msgspec.Raw(body)
