"""Request and reply between services over NATS; errors travel as replies of their own kind."""

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast

import msgspec
import nats.errors
from faststream import BaseMiddleware, Depends
from faststream.exceptions import SubscriberNotFound
from faststream.message import SourceType
from faststream.nats import NatsBroker, NatsMessage
from faststream.nats.response import NatsResponse
from nats.aio.client import Client
from nats.js import JetStreamContext
from pydantic import BaseModel, ValidationError

from libs.common import telemetry
from libs.common.calls import SharedSerializer
from libs.common.errors import DomainError, FieldProblem, Forbidden, InvalidInput, Unavailable
from libs.common.errors import from_wire as error_from_wire
from libs.common.messages import Ask, Meta, ask_on

log = logging.getLogger(__name__)
META, FAILED, VERSION, REPLAYED = "Troth-Meta", "Troth-Failed", "Troth-Version", "Troth-Replayed"
ASK_TIMEOUT_S = 5.0
A = TypeVar("A", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer: its JSON text, the version of what it shows, whether it was recorded before."""

    body: bytes
    version: int | None = None
    replayed: bool = False

    @property
    def value(self) -> Any:
        return msgspec.json.decode(self.body) if self.body else None

    def as_a(self, kind: type[A]) -> A:
        return kind.model_validate(self.value)


def reply(
    body: BaseModel | dict[str, Any] | str, version: int | None = None, *, replayed: bool = False
) -> NatsResponse:
    """The answer of a handler; `version` becomes the ETag at the door."""
    if isinstance(body, BaseModel):
        body = body.model_dump_json()
    elif not isinstance(body, str):
        body = msgspec.json.encode(body).decode()
    headers = {"content-type": "application/json"}
    if version is not None:
        headers[VERSION] = str(version)
    if replayed:
        headers[REPLAYED] = "1"
    return NatsResponse(body.encode(), headers=headers)


def meta_of(message: NatsMessage) -> Meta:
    """Who asks: from the header that only services can write."""
    return Meta.model_validate_json(message.headers.get(META, "{}"))


async def caused_by(message: NatsMessage) -> Meta:
    """For handlers; async, because a plain function would be run in a thread."""
    return meta_of(message)


CausedBy = Annotated[Meta, Depends(caused_by)]


class _ErrorsBecomeReplies(BaseMiddleware):
    """Checks the permission of what is asked; turns refusals into replies."""

    async def consume_scope(self, call_next: Any, msg: Any) -> Any:
        if msg.source_type is SourceType.RESPONSE:
            return await call_next(msg)
        try:
            meta = meta_of(msg)
            subject = msg.raw_message.subject
            asked = ask_on(subject)
            needed = asked.permission if asked is not None else None
            if needed is not None and needed not in meta.permissions:
                raise Forbidden(f"this needs {needed}", permission=needed)
            with telemetry.span(subject, meta.traceparent, actor_kind=meta.actor[:3]):
                return await call_next(msg)
        except DomainError as error:
            return _failed(error.to_wire())
        except ValidationError as error:
            # FastDepends names the handler and its parameter in front of the field
            return _failed(invalid(error, skip=1 if error.title.islower() else 0).to_wire())
        except Exception as error:
            log.exception("handler failed", extra={"subject": msg.raw_message.subject})
            return _failed({"kind": "internal", "code": "internal", "detail": type(error).__name__})


def _failed(wire: dict[str, Any]) -> NatsResponse:
    return NatsResponse(
        msgspec.json.encode(wire),
        headers={FAILED: wire["code"], "content-type": "application/json"},
    )


class InternalError(DomainError):
    """A fault of ours in the service that was asked."""

    kind = "internal"
    code = "internal"


# pydantic repeats the value in these texts
_ECHOES = {"union_tag_invalid": "Input tag does not match any of the expected tags"}


def _escaped(part: int | str) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def invalid(error: ValidationError, skip: int = 0) -> InvalidInput:
    """The problems of a pydantic model, without the values that were refused."""
    problems = [
        FieldProblem(
            pointer="".join(f"/{_escaped(part)}" for part in item["loc"][skip:]) or "/",
            rule=item["type"].replace("_", "-"), detail=_ECHOES.get(item["type"], item["msg"]),
        )
        for item in error.errors(include_input=False, include_url=False, include_context=False)
    ]  # fmt: skip
    return InvalidInput(f"{len(problems)} fields do not fit", errors=problems[:50])


class Bus:
    """One service's connection; `ask` for answers, `nc` and `js` for streams."""

    def __init__(self, url: str, service: str, user: str = "", password: str = "") -> None:
        if user:
            scheme, _, rest = url.partition("://")
            url = f"{scheme}://{user}:{password}@{rest}"
        self.service = service
        self.broker = NatsBroker(
            url, name=f"troth-{service}", middlewares=[_ErrorsBecomeReplies], logger=None,
            max_reconnect_attempts=-1, reconnect_time_wait=0.2,  # pyright: ignore[reportArgumentType] - nats-py takes fractions
            connect_timeout=2, ping_interval=5,
            max_outstanding_pings=2, inbox_prefix=f"_INBOX_{service}".encode(),
            pending_size=8 * 1024 * 1024, drain_timeout=5, allow_reconnect=True,
            error_cb=self._error, serializer=SharedSerializer(),
        )  # fmt: skip
        self._nc: Client | None = None
        self._js: JetStreamContext | None = None

    async def start(self) -> None:
        """Connects and begins to answer; raises Unavailable when NATS is not there in 20 s."""
        for _ in range(100):
            try:
                self._nc = cast(Client, await self.broker.connect())
                break
            except (TimeoutError, OSError, nats.errors.Error):
                await asyncio.sleep(0.2)
        else:
            raise Unavailable("NATS does not answer: is TROTH_NATS_URL right?", part="bus")
        await self.broker.start()
        await asyncio.sleep(0)
        await self.nc.flush()

    async def stop(self) -> None:
        await self.broker.stop()

    @property
    def nc(self) -> Client:
        """The connection itself."""
        if self._nc is None:
            raise Unavailable("not connected yet", part="bus")
        return self._nc

    @property
    def js(self) -> JetStreamContext:
        """One for the connection: each new one would subscribe to its acknowledgements for ever."""
        if self._js is None:
            self._js = self.nc.jetstream(publish_async_max_pending=4000)
        return self._js

    @property
    def connected(self) -> bool:
        return self._nc is not None and self._nc.is_connected

    async def ask(
        self, message: Ask, meta: Meta, timeout_s: float = ASK_TIMEOUT_S, subject: str | None = None
    ) -> Answered:
        """Asks the owning service. Raises its refusal, or Unavailable naming the service."""
        subject = subject or message.type
        headers = {META: meta.model_dump_json(exclude_defaults=True)}
        service = subject.partition(".")[0]
        left = await self._once_connected(timeout_s)
        try:
            answer = await self.broker.request(
                message.model_dump_json().encode(), subject, headers=headers, timeout=left
            )
        except (nats.errors.NoRespondersError, SubscriberNotFound) as error:
            raise Unavailable(f"{service} is not running", part=service) from error
        except (TimeoutError, nats.errors.Error) as error:
            raise Unavailable(f"{service} does not answer", part=service) from error
        if FAILED in answer.headers:
            raise _error_of(answer.body)
        version = answer.headers.get(VERSION)
        return Answered(answer.body, int(version) if version else None, REPLAYED in answer.headers)

    async def _once_connected(self, timeout_s: float) -> float:
        """The time that is left. What is asked while there is no connection would be kept by the
        client and carried out later, after it was refused here."""
        deadline = time.monotonic() + timeout_s
        while self._nc is not None and not self._nc.is_connected:
            if time.monotonic() > deadline:
                raise Unavailable("the bus is not connected", part="bus")
            await asyncio.sleep(0.02)
        return max(deadline - time.monotonic(), 0.01)

    async def _error(self, error: Exception) -> None:
        log.warning("bus", extra={"error_type": type(error).__name__, "cause": str(error)[:200]})


def _error_of(body: bytes) -> DomainError:
    wire = msgspec.json.decode(body)
    if wire.get("kind") == "internal":
        return InternalError(wire.get("detail", ""))
    return error_from_wire(wire)
