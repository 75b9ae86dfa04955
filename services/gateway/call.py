"""One request on its way: asks one service in the caller's name and turns the answer into HTTP."""

import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import Request
from pydantic import ValidationError
from starlette.responses import Response

from libs.common import clock, telemetry
from libs.common.bus import Answered
from libs.common.errors import InvalidInput, NotFound
from libs.common.messages import Ask, Meta
from libs.common.privacy import keyed_digest
from services.gateway import cursors, etags
from services.gateway.bodies import JSON, no_body, read
from services.gateway.keys import key_of
from services.gateway.problems import fields_of
from services.gateway.rates import Taken
from services.gateway.refusals import KeyInUse, NotAcceptable
from services.identity.contract import CallerShown

if TYPE_CHECKING:
    from services.gateway.door import Door
    from services.gateway.routing import Known

_COMMANDS = uuid.UUID("0192f3a4-7c1e-7d52-9b0e-6f1d2a8c4e57")
WAIT_MAX_S = 60


class _PageText(msgspec.Struct):
    """A page as a service answers it; the things in it pass through unread."""

    data: msgspec.Raw
    next: str | None = None


class ListText(msgspec.Struct):
    """A page as the API shows it."""

    data: msgspec.Raw
    next_cursor: str | None


_decode_page = msgspec.json.Decoder(_PageText).decode


class Call:
    """A request whose caller is known; made by the dependency that checked the permission."""

    def __init__(self, door: "Door", request: Request, known: "Known") -> None:
        self.door, self.request, self.known = door, request, known
        self.caller: CallerShown | None = None
        self.credential: str | None = None
        self.taken: Taken | None = None
        self.arrived_at = clock.now()

    # -- who asks ---------------------------------------------------------------------------

    @property
    def organization(self) -> str:
        """The chosen organization, or `instance` when the route needs none."""
        chosen = self.caller.organization if self.caller else None
        return chosen.id if chosen else "instance"

    @property
    def request_id(self) -> str:
        return self.request.scope["troth"].request_id

    @property
    def actor(self) -> str:
        return self.caller.actor if self.caller else "system:public"

    def meta(self, **more: Any) -> Meta:
        arrived = self.request.scope["troth"]
        may = set(self.caller.permissions) if self.caller else set()
        if self.caller and self.caller.instance_operator:
            may.add("instance")
        person = self.caller is not None and self.caller.person_id is not None
        return Meta(
            organization=self.organization, actor=self.actor, permissions=frozenset(may),
            role=self.caller.role if self.caller and person else None, request_id=self.request_id,
            traceparent=telemetry.traceparent(arrived.traceparent),
            origin=arrived.sealed_origin(self.door.origins),
            **more,
        )  # fmt: skip

    # -- asking -----------------------------------------------------------------------------

    def message(self, kind: type[Ask], at: dict[str, Any] | None, given: dict[str, Any]) -> Ask:
        """The message: `at` from the path (what can't be is not found), `given` from the rest."""
        at = at or {}
        try:
            return kind.model_validate(at | given)
        except ValidationError as error:
            if any(item["loc"] and item["loc"][0] in at for item in error.errors()):
                raise NotFound() from None
            problems = fields_of(error, kind.model_fields)
            raise InvalidInput("the fields do not fit", errors=problems) from None

    async def ask(
        self, kind: type[Ask], at: dict[str, Any] | None = None, /, **given: Any
    ) -> Answered:
        """Asks without any of HTTP's conditions (for a second question of the same request)."""
        return await self.door.bus.ask(self.message(kind, at, given), self.meta())

    async def change(
        self, kind: type[Ask], at: dict[str, Any] | None = None, /, **given: Any
    ) -> Answered:
        """Asks for a change: with what `If-Match` expects, once per `Idempotency-Key`."""
        if self.known.body is None and not self.known.facts.documents:
            await no_body(self.request)
        message = self.message(kind, at, given)
        more: dict[str, Any] = {}
        if self.known.facts.matches:
            headers = self.request.headers
            more["expected_version"] = etags.expected_version(
                headers.get("if-match"), headers.get("if-none-match"),
                creates=self.known.facts.creates,
            )  # fmt: skip

        async def do(made: dict[str, str]) -> Answered:
            asked = self.meta(**more, **made)
            return await self.door.bus.ask(message, asked, self.known.facts.takes_s)

        answered = await self.once(do)
        self.door.changed(message, self.organization)
        return answered

    async def once(
        self, do: Callable[[dict[str, str]], Awaitable[Answered]], body: bytes | None = None
    ) -> Answered:
        """Runs `do` with the command's id and digest; one at a time for the same key.

        `body` stands for one that is not kept in memory.
        """
        key = self.idempotency_key()
        if key is None:
            return await do({})
        who = self.actor if self.caller else f"{self.actor}@{_peer(self.request)}"
        # What a person does for themselves is the same whatever organizations they have by then.
        organization = self.organization if ":" in self.known.permission else "instance"
        parts = (organization, who, self.request.method, self.request.url.path, key)
        name = "\x00".join(f"{len(part)}:{part}" for part in parts)
        command_id = str(uuid.uuid5(_COMMANDS, name))
        if command_id in self.door.in_flight:
            raise KeyInUse("the first request with this key still runs")
        body = await read(self.request) if body is None else body
        query = self.request.url.query
        digest = keyed_digest(self.door.settings.index_bytes, f"{query}\x00{body.hex()}")
        self.door.in_flight.add(command_id)
        try:
            return await do({"command_id": command_id, "command_digest": digest})
        finally:
            self.door.in_flight.discard(command_id)

    def idempotency_key(self) -> str | None:
        if self.request.method != "POST":
            return None
        return key_of(self.request.headers.get("idempotency-key"))

    # -- answering --------------------------------------------------------------------------

    async def show(
        self, kind: type[Ask], at: dict[str, Any] | None = None, /, **given: Any
    ) -> Response:
        """Answers a GET of one thing; 304 when the caller has this version."""
        return self.shown(await self.ask(kind, at, **given))

    def shown(self, answered: Answered, body: bytes | None = None) -> Response:
        wanted = self.request.headers.get("if-none-match")
        if self.request.method == "GET" and etags.unchanged(wanted, answered.version):
            return Response(status_code=304, headers=_headers(answered))
        return json_response(body or answered.body, 200, _headers(answered))

    async def carry_out(
        self, kind: type[Ask], at: dict[str, Any] | None = None, /, *,
        location: Callable[[Any], str] | None = None, **given: Any,
    ) -> Response:  # fmt: skip
        """Answers a request that changes something with the thing as it is then."""
        return self.changed(await self.change(kind, at, **given), location)

    def changed(self, answered: Answered, location: Callable[[Any], str] | None = None) -> Response:
        headers = _headers(answered)
        if self.known.facts.status == 204:
            return Response(status_code=204, headers=headers)
        if location is not None:
            headers["Location"] = location(answered.value)
        return json_response(answered.body, self.known.facts.status, headers)

    async def listed(
        self, kind: type[Ask], given: dict[str, Any], at: dict[str, Any] | None = None,
        shown: Callable[[bytes], Awaitable[bytes]] | None = None,
    ) -> Response:  # fmt: skip
        """Answers a list: the service's place becomes our cursor, and a `Link` to the next page."""
        answered = await self.ask(kind, at, **given, **self.place())
        page = _decode_page(answered.body)
        data = bytes(page.data)
        return self.page(await shown(data) if shown else data, page.next)

    def place(self) -> dict[str, str]:
        """Where the list goes on, as the service said it: from the parameter `cursor`."""
        cursor = self.request.query_params.get("cursor")
        if cursor is None:
            return {}
        key = self.door.settings.index_bytes
        return {"after": cursors.decode(key, self._mark(), cursor)}

    def page(self, data: bytes, following: str | None) -> Response:
        """A page of a list; `following` is the service's place of the next one."""
        headers, cursor = {}, None
        if following is not None:
            cursor = cursors.encode(self.door.settings.index_bytes, self._mark(), following)
            url = self.request.url
            query = url.include_query_params(cursor=cursor).query
            headers["Link"] = f'<{url.path}?{query}>; rel="next"'
        body = msgspec.json.encode(ListText(msgspec.Raw(data), cursor))
        return json_response(body, 200, headers)

    def _mark(self) -> bytes:
        """A list may be one's own (notifications), so the caller is part of what a cursor holds."""
        where = f"{self.organization}|{self.actor}"
        filters = dict(self.request.query_params)
        key = self.door.settings.index_bytes
        return cursors.mark_of(key, where, self.request.url.path, filters)

    # -- what the caller would like -----------------------------------------------------------

    def acceptable(self) -> None:
        """Raises NotAcceptable when nothing that this route produces is wanted."""
        accept = self.request.headers.get("accept")
        if not accept:
            return
        produced = self.known.facts.produces
        if not any(_fits(part, kind) for part in accept.split(",") for kind in produced):
            raise NotAcceptable(f"this answers with {', '.join(produced)}")

    def wait_s(self) -> int | None:
        """`Prefer: wait=n`, at most a minute; None when it is not said."""
        for part in self.request.headers.get("prefer", "").split(","):
            name, _, value = part.strip().partition("=")
            if name.strip().lower() == "wait" and value.strip().isdigit():
                return min(int(value.strip()[:6]), WAIT_MAX_S)
        return None


def json_response(body: bytes, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status, headers=headers, media_type=JSON)


def _headers(answered: Answered) -> dict[str, str]:
    headers = {}
    if answered.version is not None:
        headers["ETag"] = etags.tag(answered.version)
    if answered.replayed:
        headers["Idempotency-Replayed"] = "true"
    return headers


def _fits(part: str, kind: str) -> bool:
    media, *parameters = [piece.strip().lower() for piece in part.split(";")]
    if any(p.replace(" ", "") in ("q=0", "q=0.0", "q=0.00", "q=0.000") for p in parameters):
        return False
    main = kind.partition("/")[0]
    return kind == "*/*" or media in ("*/*", kind, f"{main}/*", "application/problem+json")


def _peer(request: Request) -> str:
    return request.client.host if request.client else "unknown"
