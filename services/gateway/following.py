"""Server-sent events: what a service's list of things says behind a place, as it comes.

Nothing is kept here: a stream asks for the next stretch when the caller has taken the last, so a
slow caller costs no memory; one that takes nothing at all is cut.
"""

import asyncio
import contextlib
import logging
import time
from typing import Any

import msgspec
from starlette.responses import Response

from libs.common.errors import DomainError, FieldProblem, Malformed
from libs.common.following import Follow
from services.gateway.access import still_admitted
from services.gateway.call import Call
from services.gateway.streams import Wakeable
from services.identity.contract import CallerShown

log = logging.getLogger(__name__)
MEDIA = "text/event-stream"
GATHER_S = 0.1
CHECK_S = 15.0
STALLED_S, LAST_WORD_S = 20.0, 2.0
HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]


class _Followed(msgspec.Struct):
    place: str
    thing: msgspec.Raw


class _Stretch(msgspec.Struct):
    """What a service answers; the things in it pass through unread."""

    data: list[_Followed]
    upto: str
    reset: bool
    more: bool
    ended: bool


_decode = msgspec.json.Decoder(_Stretch).decode


class Stalled(Exception):
    """The caller has taken nothing for a while."""


class EventStream(Response, Wakeable):
    """The answer of a route that streams; refuses, before it begins, as any other route does."""

    def __init__(
        self, call: Call, kind: type[Follow], at: dict[str, Any], given: dict[str, Any],
        subject: str, name: str,
    ) -> None:  # fmt: skip
        Response.__init__(self, status_code=200)
        Wakeable.__init__(self, call.organization, subject, name)
        self._call, self._kind, self._at, self._given = call, kind, at, given
        self._place = call.request.headers.get("last-event-id") or None
        self._said_at = 0.0
        self._more = False

    def holder(self) -> CallerShown | None:
        return self._call.caller

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        streams = self._call.door.streams
        await streams.enter(self)
        try:
            first = await self._ask()
            await self._begin(send)
            if not scope["troth"].head:
                await self._until_gone(first, receive, send)
            await send({"type": "http.response.body", "body": b""})
        except Stalled:
            log.info("a stream was cut", extra={"organization": self.organization})
        finally:
            await streams.leave(self)

    async def _begin(self, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": list(HEADERS)})

    async def _until_gone(self, first: _Stretch, receive: Any, send: Any) -> None:
        """Follows until the end, or until the caller has gone."""
        following = asyncio.create_task(self._follow(first, send))
        leaving = asyncio.create_task(gone(receive))
        try:
            await asyncio.wait({following, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not following.done():
                following.cancel()
            await asyncio.gather(leaving, following, return_exceptions=True)
        if not following.cancelled() and (error := following.exception()) is not None:
            if not isinstance(error, DomainError):
                raise error
            # It is resumed from its last place, or refused with the reason then.
            log.info("a stream ended", extra={"cause": error.code})

    # -- following ------------------------------------------------------------------------------

    async def _ask(self) -> _Stretch:
        """The stretch behind the place. What came meanwhile wakes once more."""
        self.woken.clear()
        try:
            answered = await self._call.ask(self._kind, self._at, after=self._place, **self._given)
        except Malformed:
            problem = FieldProblem(
                pointer="Last-Event-ID", rule="place", detail="was not given by this stream"
            )
            raise Malformed("this place was not given by us", errors=[problem]) from None
        return _decode(answered.body)

    async def _follow(self, stretch: _Stretch, send: Any) -> None:
        heartbeat_s = self._call.door.settings.stream_heartbeat_s
        self.check_at = self.check_at or [time.monotonic() + CHECK_S]
        await self._say(send, _text(stretch) + _mark(stretch.upto))
        while not (stretch.ended or self._call.door.streams.ending):
            self._place = stretch.upto
            if not stretch.more:
                await asyncio.sleep(GATHER_S)
                await self._wait(min(self._said_at + heartbeat_s, self.check_at[0]))
            if not await self._still_may():
                return
            stretch = await self._ask()
            if stretch.data or stretch.reset or stretch.ended:
                await self._say(send, _text(stretch))
            elif time.monotonic() >= self._said_at + heartbeat_s:
                await self._say(send, b":\n" + _mark(stretch.upto))

    async def _wait(self, until: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
                await self.woken.wait()

    async def _still_may(self) -> bool:
        if time.monotonic() < self.check_at[0]:
            return True
        self.check_at = self.check_at[1:] or [time.monotonic() + CHECK_S]
        return await still_admitted(self._call)

    async def _say(self, send: Any, text: bytes) -> None:
        """Raises Stalled when nobody takes it; who reads again at last is told to begin anew."""
        body = {"type": "http.response.body", "body": text, "more_body": True}
        try:
            async with asyncio.timeout(STALLED_S):
                await send(body)
        except TimeoutError:
            reset = b'event: reset\ndata: {"reason": "too-slow"}\n\n'
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORD_S):
                    await send({"type": "http.response.body", "body": reset})
            raise Stalled from None
        self._said_at = time.monotonic()


async def gone(receive: Any) -> None:
    """Returns when the caller has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _text(stretch: _Stretch) -> bytes:
    """The events of a stretch, each with its place; a reset says where it goes on."""
    parts = []
    if stretch.reset:
        parts.append(
            b'id: %b\nevent: reset\ndata: {"reason": "place-gone"}\n\n' % stretch.upto.encode()
        )
    for one in stretch.data:
        parts.append(b"id: %b\ndata: %b\n\n" % (one.place.encode(), bytes(one.thing)))
    if stretch.ended:
        parts.append(b"event: end\ndata: {}\n\n")
    return b"".join(parts)


def _mark(place: str) -> bytes:
    """Moves what the caller resumes from, without an event."""
    return b"id: %b\n\n" % place.encode()
