"""One standing pull request on a durable consumer, renewed before it runs out."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, NotFoundError

log = logging.getLogger(__name__)
EXPIRES_S = 30
HEARTBEAT_S = 1
SILENT_S = 2.5
LOOK_S = 0.5
STREAM_AGE_S = 72 * 3600


async def ensure_stream(js: JetStreamContext, name: str, subjects: list[str], **more: Any) -> None:
    """Makes the stream when it is not there; never changes one that is."""
    try:
        await js.stream_info(name)
    except NotFoundError:
        await js.add_stream(api.StreamConfig(name=name, subjects=subjects, **more))


async def ensure_event_stream(js: JetStreamContext, service: str) -> None:
    await ensure_stream(
        js, service.upper(), [f"{service}.event.>"], max_age=STREAM_AGE_S,
        deny_delete=True, deny_purge=True, duplicate_window=120,
    )  # fmt: skip


async def ensure_consumer(
    js: JetStreamContext, stream: str, durable: str, policy: api.AckPolicy, pending_max: int
) -> None:
    try:
        await js.consumer_info(stream, durable)
    except NotFoundError:
        await js.add_consumer(
            stream,
            api.ConsumerConfig(
                durable_name=durable, ack_policy=policy, ack_wait=30, max_deliver=-1,
                max_ack_pending=pending_max,
            ),
        )  # fmt: skip


class StandingPull:
    """Calls `take` for every message; survives restarts of the server and a deleted consumer."""

    def __init__(
        self, nc: Client, stream: str, durable: str, want: int, take: Callable[[Msg], None],
        ensure: Callable[[], Any],
    ) -> None:  # fmt: skip
        self._nc, self._take, self._ensure = nc, take, ensure
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._want, self._left, self._seen, self._asked = want, 0, 0.0, 0.0
        self._broken = True
        self._inbox = ""

    async def run(self) -> None:
        """Pulls for ever; cancelled to stop."""
        self._inbox = self._nc.new_inbox()
        subscription = await self._nc.subscribe(self._inbox, cb=self._came)
        try:
            while True:
                try:
                    await self._turn()
                except (TimeoutError, nats.errors.Error, APIError, OSError) as error:
                    self._broken = True
                    log.warning("pull", extra={"cause": type(error).__name__, "on": self._subject})
                await asyncio.sleep(LOOK_S)
        finally:
            with contextlib.suppress(nats.errors.Error, OSError):
                await subscription.unsubscribe()

    async def _turn(self) -> None:
        now = time.monotonic()
        silent = now - self._seen > SILENT_S
        if not self._nc.is_connected:
            self._broken = True
        elif self._broken or silent or now - self._asked > EXPIRES_S - 5:
            if self._broken or silent:
                await self._ensure()
            self._broken = False
            await self._ask()

    async def _ask(self) -> None:
        self._asked = self._seen = time.monotonic()
        self._left = self._want
        request = {
            "batch": self._want,
            "expires": EXPIRES_S * 10**9,
            "idle_heartbeat": HEARTBEAT_S * 10**9,
        }  # fmt: skip
        await self._nc.publish(self._subject, msgspec.json.encode(request), reply=self._inbox)

    async def _came(self, message: Msg) -> None:
        self._seen = time.monotonic()
        status = message.headers.get("Status") if message.headers else None
        if status is not None and not message.reply.startswith("$JS.ACK"):
            self._broken = self._broken or status in ("404", "409", "503")
            if status == "408":
                await self._ask()
            return
        self._left -= 1
        self._take(message)
        if self._left < self._want // 2:
            await self._ask()
