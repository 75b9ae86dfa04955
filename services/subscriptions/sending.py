"""One attempt: opens URL and secrets, signs the CloudEvent, posts it, says what came back."""

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from libs.common import clock
from libs.common.eventstore import stream_of
from libs.common.fields import milliseconds
from libs.common.messages import Json
from libs.common.privacy import Forgotten, KeyRing
from libs.egress import Client
from libs.egress.webhooks import Attempt, post, signed


async def send(
    client: Client, keys: KeyRing, row: Mapping[str, Any], timeout_s: float
) -> tuple[Attempt, Json]:
    """The attempt, and its line in the log of deliveries."""
    at, began = clock.now(), time.monotonic()
    attempt = await _attempt(client, keys, row, timeout_s)
    took_ms = int((time.monotonic() - began) * 1000)
    return attempt, {
        "at": milliseconds(at), "status": attempt.status, "error": attempt.trouble,
        "duration_ms": took_ms,
    }  # fmt: skip


async def _attempt(
    client: Client, keys: KeyRing, row: Mapping[str, Any], timeout_s: float
) -> Attempt:
    stream = stream_of("subscription", row["org"], row["subscription"])
    try:
        url = (await keys.key(row["org"], "content")).open(row["url"], stream)
        key = await keys.key(row["org"], "secrets")
        secrets = [key.open(sealed, stream) for sealed in row["secrets"] or ()]
    except Forgotten:
        return Attempt(trouble="forgotten")
    body = body_of(row["event"], row["sequence"])
    at_s = int(clock.seconds())
    return await post(client, url, headers(secrets, row, at_s, body), body, timeout_s)


def body_of(event: Json, sequence: int) -> bytes:
    """Structured JSON; `sequence` counts what this endpoint gets about this subject."""
    return msgspec.json.encode(event | {"sequence": str(sequence), "sequencetype": "Integer"})


def headers(
    secrets: list[str], row: Mapping[str, Any], timestamp: int, body: bytes
) -> dict[str, str]:
    """The id is the event's, so it is the same in every attempt and when it is sent again."""
    found = {
        "content-type": "application/cloudevents+json; charset=utf-8",
        **signed(secrets, row["event_id"], timestamp, body),
    }
    if row["resend_of"] is not None:
        found["troth-resend-of"] = row["resend_of"]
    return found
