"""The HTTP client that steps and deliveries use: every connection it makes passes the guard."""

import asyncio
import logging
import re
import ssl
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from types import TracebackType
from typing import Self

import httpcore

from libs.egress.backend import GuardedBackend, Resolver, SystemResolver
from libs.egress.bodies import pour_body, read_body
from libs.egress.errors import EgressFailed, EgressRefused
from libs.egress.policy import Policy
from libs.egress.redirects import Hop, Streamed, next_hop
from libs.egress.urls import must_be_listed, parse, port_of

if find_spec("sniffio") is None:  # httpcore looks for it on the disk at every lock
    sys.modules["sniffio"] = None  # pyright: ignore[reportArgumentType] - means "not there"
BODY_MAX_BYTES = 256 * 1024
TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 10.0
REDIRECTS_MAX = 5
CONNECTIONS_MAX = 256
KEPT_ALIVE_MAX = 64
KEPT_ALIVE_S = 5.0

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# The connection's own business; a foreign Host would also lead round a document's list of hosts.
HEADERS_NOT_THE_CALLERS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te"}
    | {"trailer", "expect", "proxy-authorization", "proxy-connection"}
)
HEADER_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,256}")
HEADER_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")
METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
Into = Callable[[bytes], Awaitable[None]]
DEFAULT_HEADERS = {"accept": "*/*", "accept-encoding": "gzip, deflate", "user-agent": "troth"}


@dataclass(frozen=True)
class Response:
    """An answer; `url` is where it came from after redirects, the body is decompressed, and empty
    where it was poured elsewhere."""

    status: int
    headers: dict[str, str]
    body: bytes
    url: str


class Client:
    """Keeps connections for as long as it is open, all of them under one policy.

    Reads no environment and uses no proxy. `resolve` and `tls` exist for those who bring their
    own name service or their own certificate authorities.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        resolve: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        # httpcore writes headers, secrets among them, into its debug log.
        logging.getLogger("httpcore").setLevel(logging.INFO)
        self._own_resolver = SystemResolver()
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or _known_authorities(),
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=KEPT_ALIVE_MAX,
            keepalive_expiry=KEPT_ALIVE_S,
            network_backend=GuardedBackend(policy, resolve or self._own_resolver),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Closes the kept connections; requests under way fail."""
        await self._pool.aclose()
        self._own_resolver.close()

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | Streamed | None = None,
        timeout_s: float = TIMEOUT_S,
        *,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        max_bytes: int = BODY_MAX_BYTES,
        redirects_max: int = REDIRECTS_MAX,
        hosts: Collection[str] | None = None,
        into: Into | None = None,
    ) -> Response:
        """One answer, redirects followed, or `EgressRefused`, or `EgressFailed`.

        `timeout_s` is for the whole, redirects and body included. `hosts` limits this call to the
        hosts named, redirects included; it never allows what the policy forbids. The body of
        an answer under 300 goes `into`, where that is given.
        """
        hop = Hop(_method(method), parse(url), _headers(headers or {}), content)
        asked = hop.url.host
        try:
            async with asyncio.timeout(timeout_s):
                for _ in range(redirects_max + 1):
                    must_be_listed(hop.url, hosts)
                    asked = hop.url.host
                    answer = await self._send(hop, connect_timeout_s, max_bytes, into)
                    if isinstance(answer, Response):
                        return answer
                    hop = answer
        except (TimeoutError, httpcore.TimeoutException):
            raise EgressFailed("timeout", asked, "no answer in time") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise _failed(asked, error) from None
        raise EgressRefused(hop.url.host, "redirects")

    async def _send(
        self, hop: Hop, connect_timeout_s: float, max_bytes: int, into: "Into | None"
    ) -> Response | Hop:
        target = httpcore.URL(
            scheme=hop.url.raw_scheme,
            host=hop.url.raw_host,
            port=port_of(hop.url),
            target=hop.url.raw_path,
        )
        content = b"" if hop.content is None and hop.method in METHODS_WITH_BODY else hop.content
        lines = [(name.encode("ascii"), value.encode()) for name, value in hop.headers.items()]
        if isinstance(content, Streamed):
            lines.append((b"content-length", str(content.size).encode()))
            content = content.pieces()
        async with self._pool.stream(
            hop.method,
            target,
            headers=[(b"host", hop.url.netloc), *lines],
            content=content,
            extensions={"timeout": {"connect": connect_timeout_s}},
        ) as answer:
            received = _received(answer.headers)
            following = next_hop(hop, answer.status, received.get("location"))
            if following is not None:
                return following
            encoding = "" if hop.method == "HEAD" else received.get("content-encoding", "")
            came, body = answer.aiter_stream(), b""
            if into is not None and answer.status < 300:
                await pour_body(came, encoding, max_bytes, hop.url.host, into)
            else:
                most = max_bytes if into is None else min(max_bytes, BODY_MAX_BYTES)
                body = await read_body(came, encoding, most, hop.url.host)
            return Response(answer.status, received, body, str(hop.url))


@cache
def _known_authorities() -> ssl.SSLContext:
    """Kept, because reading all certificates takes tens of milliseconds."""
    return httpcore.default_ssl_context()


def _method(method: str) -> str:
    if method not in METHODS:
        raise EgressRefused("", "method")
    return method


def _headers(given: Mapping[str, str]) -> dict[str, str]:
    lowered = {name.lower(): value for name, value in given.items()}
    well_formed = all(
        HEADER_NAME.fullmatch(name) and HEADER_VALUE.fullmatch(value)
        for name, value in lowered.items()
    )
    if HEADERS_NOT_THE_CALLERS & lowered.keys() or not well_formed:
        raise EgressRefused("", "header")
    return DEFAULT_HEADERS | lowered


def _received(lines: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Lower case names; a header that comes more than once is joined, as the standard says."""
    received: dict[str, str] = {}
    for name, value in lines:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        received[key] = f"{received[key]}, {text}" if key in received else text
    return received


def _failed(host: str, error: Exception) -> EgressFailed:
    """The kind and a fixed word; the client's own message would name the address."""
    if isinstance(error, httpcore.RemoteProtocolError) and _hung_up(error):
        return EgressFailed("connection", host, "the connection was closed in mid-answer")
    if isinstance(error, httpcore.ProtocolError):
        return EgressFailed("protocol", host, "this is not valid HTTP")
    # The context, because the pool raises "from None".
    if isinstance(error.__context__, ssl.SSLCertVerificationError):
        return EgressFailed("connection", host, "its certificate is not trusted")
    return EgressFailed("connection", host, "no connection")


def _hung_up(error: httpcore.RemoteProtocolError) -> bool:
    return str(error).startswith(("Server disconnected", "peer closed connection"))
