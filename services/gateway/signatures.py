"""Signatures of hooks: each scheme is a function of secret, headers and the body as it came."""

import base64
import hmac
from collections.abc import Mapping
from hashlib import sha256

from libs.common import clock
from services.gateway.refusals import SignatureInvalid

TOLERANCE_S = 300


def check(
    scheme: str, secret: str | None, headers: Mapping[str, str], body: bytes, *,
    token_header: str | None = None, now_s: float | None = None,
) -> None:  # fmt: skip
    """Raises SignatureInvalid unless the body was signed with the secret, and lately.

    `headers` has lower-case names. All refusals read the same.
    """
    if scheme == "none":
        return
    now = clock.seconds() if now_s is None else now_s
    good = False
    if secret:
        match scheme:
            case "standard-webhooks":
                good = _standard(secret, headers, body, now)
            case "github":
                given = headers.get("x-hub-signature-256", "")
                good = _same(given, "sha256=" + _hex(secret, body))
            case "stripe":
                good = _stripe(secret, headers.get("stripe-signature", ""), body, now)
            case "slack":
                good = _slack(secret, headers, body, now)
            case "token":
                given = headers.get(token_header or "authorization", "")
                good = _same(given if token_header else given.removeprefix("Bearer "), secret)
            case _:
                good = False
    if not good:
        raise SignatureInvalid("the signature does not fit, or is older than five minutes")


def _standard(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """https://www.standardwebhooks.com: `v1,<base64>` over `id.timestamp.body`."""
    message, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message or not _recent(stamp, now):
        return False
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        return False
    mac = hmac.new(key, f"{message}.{stamp}.".encode() + body, sha256).digest()
    wanted = "v1," + base64.b64encode(mac).decode()
    return any(_same(given, wanted) for given in headers.get("webhook-signature", "").split(" "))


def _stripe(secret: str, header: str, body: bytes, now: float) -> bool:
    """`t=<seconds>,v1=<hex>`; several `v1` while a secret is rotated."""
    parts = [part.strip().partition("=") for part in header.split(",")]
    stamp = next((value for key, _, value in parts if key == "t"), "")
    if not _recent(stamp, now):
        return False
    wanted = _hex(secret, f"{stamp}.".encode() + body)
    return any(_same(value, wanted) for key, _, value in parts if key == "v1")


def _slack(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    stamp = headers.get("x-slack-request-timestamp", "")
    if not _recent(stamp, now):
        return False
    wanted = "v0=" + _hex(secret, f"v0:{stamp}:".encode() + body)
    return _same(headers.get("x-slack-signature", ""), wanted)


def _recent(stamp: str, now: float) -> bool:
    digits = stamp.isascii() and stamp.isdigit() and len(stamp) <= 12
    return digits and abs(now - int(stamp)) <= TOLERANCE_S


def _hex(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, sha256).hexdigest()


def _same(given: str, wanted: str) -> bool:
    """In constant time, and for any characters."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode("utf-8", "replace"))
