"""The way in for webhooks, in raw ASGI: the shortest way from a call to the WORK queue."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from libs.common import clock
from libs.common.errors import DomainError, NotFound, PaymentNeeded
from libs.common.errors import from_wire as error_from_wire
from libs.common.fields import milliseconds
from services.executor.work import StartAnswer
from services.gateway import signatures
from services.gateway.arrived import Answer, Arrived, Headers
from services.gateway.bodies import limited
from services.gateway.door import Door
from services.gateway.hook_bodies import becomes_a_value, limit_of, payload_of, store_files
from services.gateway.keys import key_of, key_to_repeat
from services.gateway.ledger import BODY_MAX as KEPT_MAX
from services.gateway.ledger import Refused
from services.gateway.refusals import (
    ExecutionFailed,
    HookNotFound,
    MethodNotAllowed,
    SignatureInvalid,
)
from services.gateway.starts import Order
from services.identity.contract import OrganizationResolved
from services.workflows.contract import HookFound, secret_stream

JSON_HEADER = (b"content-type", b"application/json")
PATH = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")
REAL_MAX = 100_000
WITHOUT_BODY = frozenset(("signature-invalid",))


class Hooks:
    """Answers `POST /hooks/{organization}/{path}`; the order of the checks is the contract's."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self._real: set[tuple[str, str]] = set()

    async def answer(self, scope: Any, receive: Any, arrived: Arrived) -> Answer:
        """Status, headers and body; raises what refuses the call."""
        if scope["method"] != "POST":
            raise MethodNotAllowed("hooks are called by POST", allow="POST")
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        given = headers.get("webhook-id") or headers.get("idempotency-key")
        arrived.key = key_to_repeat(given)
        most = limit_of(headers.get("content-type"))
        body = await limited(_chunks(receive), headers.get("content-length"), most)
        name, _, path = scope["path"][len("/hooks/") :].partition("/")
        address = scope["client"][0] if scope.get("client") else "unknown"
        organization = await self._organization(name, address)
        hook = await self._hook(organization, path)
        told = _Told(self, organization, path, hook, headers, body, arrived)
        try:
            if hook.reason is not None:
                raise HookNotFound("no workflow listens here")
            await self._signed(organization, path, hook, headers, body)
            arrived.rate = self.door.rates.hooks.take(organization)
            arrived.rate.or_refuse()
            payload = payload_of(hook, headers, body, scope["query_string"])
            self._within_plan(organization)
            key_of(given)
            await store_files(self.door, organization, payload, arrived)
        except DomainError as error:
            told.refused(error)
            raise
        order = Order(
            "webhook", organization, path, arrived.key, payload, body,
            actor="system:webhook", request_id=arrived.request_id, path=path,
            result=hook.respond == "result", wait_s=hook.timeout_s or 0,
            origin=arrived.sealed_origin(self.door.origins),
            traceparent=arrived.traceparent,
        )  # fmt: skip
        try:
            answer = await self.door.starts.start(order)
        except DomainError as error:
            told.refused(error)
            raise
        return outcome(answer)

    async def _organization(self, name: str, address: str) -> str:
        if not name or not PATH.issuperset(name) or len(name) > 63:
            raise HookNotFound("no workflow listens here")
        found: OrganizationResolved | None = self.door.organizations.at_hand(name)
        if found is None:
            self.door.rates.public.take(address).or_refuse()
            try:
                found = await self.door.organizations.get(name)
            except NotFound:
                raise HookNotFound("no workflow listens here") from None
        return found.id

    async def _hook(self, organization: str, path: str) -> HookFound:
        """What is behind a path. What is not there is asked for anew: it may be published now."""
        if not path or not PATH.issuperset(path) or path[0] in "_-" or len(path) > 128:
            raise HookNotFound("no workflow listens here")
        key = (organization, path)
        hook = self.door.hooks.at_hand(key)
        if hook is None or hook.reason is not None:
            if key not in self._real:
                self.door.rates.unmatched.take(organization).or_refuse()
            if hook is not None:
                self.door.hooks.drop(lambda held, _: held == key)
            hook = await self.door.hooks.get(key)
            self._remember(key, real=hook.reason is None)
        return hook

    def _remember(self, key: tuple[str, str], *, real: bool) -> None:
        """Strangers who try paths use up a rate that must not stop those that exist."""
        if not real:
            self._real.discard(key)
        elif len(self._real) < REAL_MAX:
            self._real.add(key)

    async def _signed(
        self, organization: str, path: str, hook: HookFound, headers: dict[str, str], body: bytes
    ) -> None:
        """Checks the signature; a refusal is checked again with what workflows says now."""
        try:
            await self._check(organization, hook, headers, body)
        except SignatureInvalid:
            if not self.door.rates.unmatched.take(organization).allowed:
                raise
            key = (organization, path)
            self.door.hooks.drop(lambda held, _: held == key)
            fresh = await self.door.hooks.get(key)
            if fresh == hook:
                raise
            await self._check(organization, fresh, headers, body)

    async def _check(
        self, organization: str, hook: HookFound, headers: dict[str, str], body: bytes
    ) -> None:
        secret = None
        if hook.secret is not None and hook.secret_name is not None:
            stream = secret_stream(organization, hook.secret_name)
            secret = await self.door.keys.open(organization, "secrets", stream, hook.secret)
        if hook.scheme is None:
            raise SignatureInvalid("the signature does not fit, or is older than five minutes")
        signatures.check(hook.scheme, secret, headers, body, token_header=hook.header)

    def _within_plan(self, organization: str) -> None:
        """An early word of what billing last said; the executor's own count decides."""
        account = self.door.accounts.at_hand(organization)
        if account is None:
            self.door.look_up_account(organization)
            return
        limit, used = account.limits.executions_per_month, account.used.executions
        if used >= limit and account.period.ends_at > clock.now():
            raise PaymentNeeded(
                "the plan's executions of this month are used up", limit=limit, used=used,
                resets_at=milliseconds(account.period.ends_at),
            )  # fmt: skip


class _Told:
    """What the ledger is told when a call starts nothing."""

    def __init__(
        self, hooks: Hooks, organization: str, path: str, hook: HookFound,
        headers: dict[str, str], body: bytes, arrived: Arrived,
    ) -> None:  # fmt: skip
        self._of = (hooks, organization, path, hook, headers, body, arrived)

    def refused(self, error: DomainError) -> None:
        hooks, organization, path, hook, headers, body, arrived = self._of
        if error.kind == "unavailable":
            return
        unmatched = hook.reason is not None
        wanted = becomes_a_value(headers.get("content-type")) and error.code not in WITHOUT_BODY
        kept = body if wanted else None
        if unmatched and len(body) > KEPT_MAX:
            kept = None
        hooks.door.ledger.tell(
            Refused(
                organization, path, "unmatched" if unmatched else "refused",
                hook.reason or error.code, arrived.request_id, headers, kept, len(body),
                hook.workflow_id, arrived.sealed_origin(hooks.door.origins),
            )
        )  # fmt: skip


def outcome(answer: StartAnswer) -> Answer:
    """The executor's answer as HTTP; raises its refusal (which it recorded), or ExecutionFailed."""
    if answer.status == "refused":
        raise error_from_wire(answer.problem or {})
    headers: Headers = [JSON_HEADER]
    if answer.replayed:
        headers.append((b"idempotency-replayed", b"true"))
    where = answer.execution.encode()
    if answer.status == "finished":
        if answer.outcome != "succeeded":
            said = "cancelled" if answer.outcome == "cancelled" else "failed"
            raise ExecutionFailed(
                f"the execution {said}", execution=answer.execution,
                error_type=answer.error_type,
            )  # fmt: skip
        headers.append((b"troth-execution", where))
        return 200, headers, msgspec.json.encode(answer.output)
    headers.append((b"location", b"/v1/executions/" + where))
    return 202, headers, b'{"execution":"%b","call":"%b"}' % (where, answer.call.encode())


async def _chunks(receive: Any) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        yield message.get("body", b"")
        if not message.get("more_body"):
            return
