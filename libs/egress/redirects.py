"""What is asked next when an answer points elsewhere, and what must not travel along."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

import httpx

from libs.egress.urls import join, origin

REDIRECTS = frozenset({301, 302, 303, 307, 308})

# Any other header may be a credential under a name of its own ("x-api-key"), so across origins
# only these go along.
KNOWN_TO_BE_NO_CREDENTIAL = frozenset(
    {"accept", "accept-encoding", "accept-language", "content-type", "idempotency-key"}
    | {"traceparent", "user-agent", "webhook-id", "webhook-timestamp"}
)


@dataclass(frozen=True)
class Streamed:
    """A body that is never whole in memory; `pieces` begins anew for each hop."""

    size: int
    pieces: Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True)
class Hop:
    """One request on the wire; header names are in lower case."""

    method: str
    url: httpx.URL
    headers: dict[str, str]
    content: bytes | Streamed | None


def next_hop(hop: Hop, status: int, location: str | None) -> Hop | None:
    """The request that follows this answer, or None when the answer is the last one."""
    if status not in REDIRECTS or not location:
        return None
    return _without_credentials(_with_method(hop, status), join(hop.url, location))


def _with_method(hop: Hop, status: int) -> Hop:
    """307 and 308 repeat the request; the older codes make a GET of it, as browsers do."""
    becomes_get = (status == 303 and hop.method != "HEAD") or (
        status in (301, 302) and hop.method == "POST"
    )
    if not becomes_get:
        return hop
    kept = {name: value for name, value in hop.headers.items() if name != "content-type"}
    return replace(hop, method="GET", headers=kept, content=None)


def _without_credentials(hop: Hop, url: httpx.URL) -> Hop:
    if origin(url) == origin(hop.url):
        return replace(hop, url=url)
    kept = {key: value for key, value in hop.headers.items() if key in KNOWN_TO_BE_NO_CREDENTIAL}
    return replace(hop, url=url, headers=kept)
