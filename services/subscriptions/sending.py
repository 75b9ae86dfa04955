"""One attempt: opens URL and secrets, signs the CloudEvent, posts it, says what came back."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from libs.common.eventstore import stream_of
from libs.common.fields import milliseconds
from libs.common.messages import Json
from libs.common.privacy import Forgotten, KeyRing
from libs.egress import Client, EgressFailed, EgressRefused
from services.subscriptions.schedule import Attempt, retry_after
from services.subscriptions.signing import signature

ANSWER_BYTES_MAX = 64 * 1024


async def send(
    client: Client, keys: KeyRing, row: Mapping[str, Any], timeout_s: float
) -> tuple[Attempt, Json]:
    """The attempt, and its line in the log of deliveries."""
    at, began = datetime.now(UTC), time.monotonic()
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
    try:
        answer = await client.request(
            "POST", url, headers(secrets, row, int(time.time()), body), body, timeout_s,
            max_bytes=ANSWER_BYTES_MAX, redirects_max=0,
        )  # fmt: skip
    except EgressRefused as refused:
        # One word for closed and forbidden: the log of deliveries is no map of an inside network.
        return Attempt(trouble="redirect" if refused.rule == "redirects" else "no-connection")
    except EgressFailed as failed:
        return Attempt(trouble="no-connection" if failed.kind == "connection" else failed.kind)
    wait_s = retry_after(answer.headers.get("retry-after"), datetime.now(UTC))
    return Attempt(status=answer.status, retry_after_s=wait_s)


def body_of(event: Json, sequence: int) -> bytes:
    """Structured JSON; `sequence` counts what this endpoint gets about this subject."""
    return msgspec.json.encode(event | {"sequence": str(sequence), "sequencetype": "Integer"})


def headers(
    secrets: list[str], row: Mapping[str, Any], timestamp: int, body: bytes
) -> dict[str, str]:
    """The id is the event's, so it is the same in every attempt and when it is sent again."""
    found = {
        "content-type": "application/cloudevents+json; charset=utf-8",
        "webhook-id": row["event_id"], "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secrets, row["event_id"], timestamp, body),
    }  # fmt: skip
    if row["resend_of"] is not None:
        found["troth-resend-of"] = row["resend_of"]
    return found
