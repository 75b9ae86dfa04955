"""Calls that start nothing are told to the executor's ledger: sealed, and bounded per hour."""

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from libs.common import clock, ids
from libs.common.bus import Bus
from libs.common.errors import DomainError
from libs.common.messages import Meta
from libs.common.privacy import Forgotten, KeyRing
from services.executor.contract import RecordCall
from services.executor.work import PURPOSE

log = logging.getLogger(__name__)
AN_HOUR_MAX = 1000
BODY_MAX = 64 * 1024
HEADERS = ("content-type", "user-agent", "webhook-id", "x-github-event", "x-github-delivery")


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that started nothing, and why; `body` is None when it must not be kept."""

    organization: str
    path: str
    outcome: str
    reason: str
    request_id: str
    headers: Mapping[str, str]
    body: bytes | None
    size_bytes: int
    workflow_id: str | None = None
    origin: str | None = None


class Ledger:
    """Tells in the background: the caller's answer does not wait for it."""

    def __init__(self, bus: Bus, keys: KeyRing) -> None:
        self._bus, self._keys = bus, keys
        self._counts: dict[str, tuple[int, int]] = {}
        self._telling: set[asyncio.Task[None]] = set()
        self.left_out = 0

    def tell(self, refused: Refused) -> None:
        if not self._room(refused.organization):
            self.left_out += 1
            return
        task = asyncio.create_task(self._tell(refused))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def _room(self, organization: str) -> bool:
        """At most a thousand of one organization in each hour of the clock."""
        hour = int(clock.seconds()) // 3600
        begun, count = self._counts.get(organization, (hour, 0))
        if begun != hour:
            self._counts = {k: v for k, v in self._counts.items() if v[0] == hour}
            count = 0
        if count >= AN_HOUR_MAX:
            return False
        self._counts[organization] = (hour, count + 1)
        return True

    async def _tell(self, refused: Refused) -> None:
        call = ids.new("call")
        stream = f"call-{refused.organization}-{call}"
        kept = {name: refused.headers[name] for name in HEADERS if name in refused.headers}
        try:
            key = await self._keys.key(refused.organization, PURPOSE)
            body = None if refused.body is None else key.seal(value_of(refused.body), stream)
            command = RecordCall.model_validate(
                {
                    "call_id": call, "path": refused.path, "outcome": refused.outcome,
                    "reason": refused.reason, "workflow_id": refused.workflow_id,
                    "headers": key.seal(kept, stream), "body": body, "bytes": refused.size_bytes,
                }
            )  # fmt: skip
            meta = Meta.system(
                "gateway", refused.organization, request_id=refused.request_id,
                origin=refused.origin,
            )  # fmt: skip
            await self._bus.ask(command, meta)
        except (DomainError, Forgotten) as error:
            self.left_out += 1
            log.warning("call not recorded", extra={"cause": type(error).__name__})


def value_of(body: bytes) -> Any:
    """The body as a JSON value; what is none becomes a text of at most 64 KiB."""
    if len(body) > BODY_MAX:
        return body[:BODY_MAX].decode(errors="replace")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body.decode(errors="replace")
