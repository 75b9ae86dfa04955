"""Posts webhooks through the guard: signed as Standard Webhooks says, and told what came of it."""

import base64
import hmac
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from ipaddress import ip_address
from typing import Literal

from libs.egress.client import Client
from libs.egress.errors import EgressFailed, EgressRefused
from libs.egress.policy import Policy
from libs.egress.urls import parse, port_of

PREFIX = "whsec_"
SECRET_BYTES = 32
ANSWER_BYTES_MAX = 64 * 1024
Trouble = Literal["no-connection", "timeout", "protocol", "too-large", "redirect", "forgotten"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """An answer's status, or the trouble that there was instead of one."""

    status: int | None = None
    trouble: Trouble | None = None
    retry_after_s: float | None = None

    @property
    def arrived(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


async def post(
    client: Client, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
) -> Attempt:
    """One attempt; nothing is followed and nothing is raised."""
    try:
        answer = await client.request(
            "POST", url, headers, body, timeout_s, max_bytes=ANSWER_BYTES_MAX, redirects_max=0
        )
    except EgressRefused as refused:
        # One word for closed and forbidden: what is told of attempts is no map of a network inside.
        return Attempt(trouble="redirect" if refused.rule == "redirects" else "no-connection")
    except EgressFailed as failed:
        return Attempt(trouble="no-connection" if failed.kind == "connection" else failed.kind)
    wait_s = retry_after(answer.headers.get("retry-after"), datetime.now(UTC))
    return Attempt(status=answer.status, retry_after_s=wait_s)


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds or a date, as RFC 9110 says; what is neither is passed over."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (ValueError, TypeError):
        return None


# -- signatures ------------------------------------------------------------------------------------


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed(keys: Sequence[str], webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks."""
    return {
        "webhook-id": webhook_id, "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(keys, webhook_id, timestamp, body),
    }  # fmt: skip


def signature(keys: Sequence[str], webhook_id: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA-256 over `id.timestamp.body`: one `v1,…` per key, with spaces between, for while a
    key is rotated there are two."""
    what = f"{webhook_id}.{timestamp}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(_raw(key), what, sha256)).decode() for key in keys
    )


def _raw(key: str) -> bytes:
    return base64.b64decode(key.removeprefix(PREFIX))


# -- addresses -------------------------------------------------------------------------------------


def host_of(url: str, policy: Policy) -> str:
    """Its host in one canonical form; EgressRefused for a URL that shows by itself that nothing
    can go there. The guard decides again on each connection."""
    parsed = parse(url)
    host = parsed.raw_host.decode("ascii").strip("[]")
    policy.check(host, port_of(parsed), _shown_by(host))
    return host


def _shown_by(host: str) -> list[str]:
    """The addresses that a host names by itself, also as `2130706433` or `0x7f.1`."""
    if host == "localhost" or host.endswith(".localhost"):
        return ["127.0.0.1"]
    try:
        return [str(ip_address(host))]
    except ValueError:
        pass  # a name, or an old way of writing an address
    try:
        return [socket.inet_ntoa(socket.inet_aton(host))]
    except OSError:
        return []
