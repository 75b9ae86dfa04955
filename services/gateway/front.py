"""The front: gives each request its id, sends hooks the short way and the rest to FastAPI."""

import logging
import time
from typing import Any

from libs.common import telemetry
from libs.common.bus import InternalError
from libs.common.errors import DomainError
from services.gateway.arrived import Arrived
from services.gateway.door import Door
from services.gateway.hooks import Hooks
from services.gateway.origins import origin_of
from services.gateway.problems import render
from services.gateway.refusals import Draining, HeadersTooLarge, Starting
from services.gateway.reports import Access

log = logging.getLogger(__name__)
HEADERS_MAX = 16 * 1024
NOTHING = b"default-src 'none'; frame-ancestors 'none'"


class Front:
    """The ASGI application of the gateway."""

    def __init__(self, door: Door, rest: Any) -> None:
        self.door, self.rest, self.hooks = door, rest, Hooks(door)
        safe = [
            (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
        ]  # fmt: skip
        if door.settings.secure:
            safe.append((b"strict-transport-security", b"max-age=31536000; includeSubDomains"))
        self.safe = safe

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            return
        begun = time.perf_counter()
        headers = scope["headers"]
        trace = next((v for k, v in headers if k == b"traceparent"), None)
        agent = next((v for k, v in headers if k == b"user-agent"), None)
        arrived = scope["troth"] = Arrived(trace, origin_of(scope.get("client"), agent))
        telemetry.request_id.set(arrived.request_id)
        hook = scope["path"].startswith("/hooks/")
        arrived.head = scope["method"] == "HEAD"
        out = _Out(self, arrived, send)
        try:
            self._open(headers)
            if hook:
                with telemetry.span("POST /hooks", arrived.traceparent):
                    arrived.traceparent = telemetry.traceparent(arrived.traceparent)
                    status, more, body = await self.hooks.answer(scope, receive, arrived)
                await out.whole(status, more, body)
            else:
                if arrived.head:
                    scope = {**scope, "method": "GET"}
                with telemetry.span(f"{scope['method']} rest", arrived.traceparent):
                    await self.rest(scope, receive, out)
        except DomainError as error:
            await out.problem(error)
        except Exception as error:
            log.exception("request failed", extra={"error_type": type(error).__name__})
            await out.problem(InternalError())
        self._note(scope, arrived, out.status, hook, time.perf_counter() - begun)

    def _open(self, headers: Any) -> None:
        """Refuses while the door is not open, and what is too big to be read."""
        if self.door.draining:
            raise Draining("this process ends; another one answers", part="gateway")
        if not self.door.opened:
            raise Starting("the door opens in a moment", part="gateway")
        if sum(len(k) + len(v) + 4 for k, v in headers) > HEADERS_MAX:
            raise HeadersTooLarge(f"headers have at most {HEADERS_MAX} bytes",
                                  limit_bytes=HEADERS_MAX)  # fmt: skip

    def _note(self, scope: Any, arrived: Arrived, status: int, hook: bool, took_s: float) -> None:
        call = arrived.call
        route = "hooks" if hook else call.known.route.path if call is not None else "none"
        telemetry.REQUESTS.labels(route, str(status)).inc()
        telemetry.REQUEST_S.labels(route).observe(took_s)
        if call is None:
            return
        reason, permission = arrived.reason or (None, None)
        if call.caller is not None or reason is not None:
            self.door.reports.note(
                Access(
                    call.organization, call.actor, call.known.operation,
                    None if reason else f"{status // 100}xx", reason, permission, arrived.origin,
                ),
                arrived.request_id,
            )  # fmt: skip


class _Out:
    """`send` with the headers that every answer carries; a HEAD's body is left out."""

    def __init__(self, front: Front, arrived: Arrived, send: Any) -> None:
        self._front, self._arrived, self._send = front, arrived, send
        self.status = 0

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = self._all(list(message.get("headers", [])))
        elif self._arrived.head and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await self._send(message)

    def _all(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        arrived = self._arrived
        named = {name.lower() for name, _ in headers}
        headers += [header for header in self._front.safe if header[0] not in named]
        headers.append((b"content-security-policy", arrived.policy or NOTHING))
        headers.append((b"troth-request-id", arrived.request_id.encode()))
        headers += arrived.headers
        if self.status == 503 and arrived.key is not None:
            headers.append((b"idempotency-key", arrived.key.encode()))
        taken = arrived.rate or self._front.door.rates.nobody
        return headers + taken.headers()

    async def whole(self, status: int, headers: Any, body: bytes) -> None:
        length = (b"content-length", str(len(body)).encode())
        await self({"type": "http.response.start", "status": status,
                    "headers": [*headers, length]})  # fmt: skip
        await self({"type": "http.response.body", "body": body})

    async def problem(self, error: DomainError) -> None:
        """The problem, unless an answer has begun already."""
        if self.status:
            return
        status, headers, body = render(error, self._arrived.request_id)
        allow = error.extra.get("allow")
        if allow:
            headers.append((b"allow", str(allow).encode()))
        await self.whole(status, headers, body)
