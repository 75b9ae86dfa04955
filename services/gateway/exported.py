"""The result of an export of the trail: read part after part, resumable at any byte by `Range`."""

import asyncio
import re
from typing import Any

import msgspec
from starlette.responses import Response

from services.audit.contract import FindExport, ReadExport
from services.executor.contract import NotEnded
from services.gateway.call import Call
from services.gateway.following import STALLED_S, gone
from services.gateway.lines import LINES
from services.gateway.refusals import RangeNotSatisfiable

_FROM = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")


class _Part(msgspec.Struct):
    text: str
    start: int
    total: int
    tag: str


_decode = msgspec.json.Decoder(_Part).decode


async def exported(call: Call, operation: str) -> Response:
    """Refuses as any route does; from then on it is streamed."""
    shown = (await call.ask(FindExport, {"operation_id": operation})).value
    if shown["ended_at"] is None:
        raise NotEnded("the operation is still at work")
    first = await _part(call, operation, 0)
    start, end = _range(call, first)
    if start:
        first = await _part(call, operation, start)
    return Exported(call, operation, first, start, end)


class Exported(Response):
    """Bytes `start` to before `end`; when something fails in the middle, it ends too early."""

    def __init__(self, call: Call, operation: str, first: _Part, start: int, end: int) -> None:
        whole = (start, end) == (0, first.total)
        super().__init__(status_code=200 if whole else 206)
        self._call, self._operation, self._first = call, operation, first
        self._start, self._end = start, end
        self._said = {
            "content-type": LINES, "accept-ranges": "bytes", "etag": f'"{first.tag}"',
            "content-length": str(end - start),
        }  # fmt: skip
        if not whole:
            self._said["content-range"] = f"bytes {start}-{end - 1}/{first.total}"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(name.encode(), value.encode()) for name, value in self._said.items()]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        if scope["troth"].head or self._start == self._end:
            await send({"type": "http.response.body", "body": b""})
            return
        leaving = asyncio.create_task(gone(receive))
        try:
            at, part = self._start, self._first
            while not leaving.done():
                piece = part.text.encode()[at - part.start : self._end - part.start]
                at += len(piece)
                last = at >= self._end
                async with asyncio.timeout(STALLED_S):
                    await send({"type": "http.response.body", "body": piece, "more_body": not last})
                if last:
                    return
                part = await _part(self._call, self._operation, at)
        finally:
            leaving.cancel()


async def _part(call: Call, operation: str, at: int) -> _Part:
    answered = await call.ask(ReadExport, {"operation_id": operation}, at=at)
    return _decode(answered.body)


def _range(call: Call, first: _Part) -> tuple[int, int]:
    """What one range of bytes asks for; everything where there is none, or that of another tag."""
    headers = call.request.headers
    wanted = _FROM.fullmatch(headers.get("range", "").replace(" ", ""))
    condition = headers.get("if-range")
    if wanted is None or (condition is not None and condition != f'"{first.tag}"'):
        return 0, first.total
    start = int(wanted[1])
    end = min(int(wanted[2]) + 1, first.total) if wanted[2] else first.total
    if start >= first.total or end <= start:
        raise RangeNotSatisfiable(f"the result has {first.total} bytes")
    return start, end
