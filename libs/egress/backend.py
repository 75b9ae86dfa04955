"""The network below the HTTP client: looks up once, checks every answer, connects to that answer.

TLS still sees the name, because httpcore hands it to the handshake apart from the address.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import NoReturn

import httpcore

from libs.egress.errors import EgressRefused
from libs.egress.policy import Policy

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

ADDRESSES_TRIED_MAX = 4
LOOKUPS_AT_ONCE_MAX = 16


class SystemResolver:
    """Asks the system, in threads of its own: a name server that hangs starves nobody else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUPS_AT_ONCE_MAX, "egress-lookup")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        try:
            return [str(ip_address(host))]
        except ValueError:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, _lookup, host, port)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _lookup(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Every connection of a client is made here, so that nothing goes round the policy."""

    def __init__(self, policy: Policy, resolve: Resolver) -> None:
        self._policy = policy
        self._resolve = resolve
        network = httpcore.AnyIOBackend()
        # httpcore also has an empty class of this name, for when anyio is missing.
        assert isinstance(network, httpcore.AsyncNetworkBackend)
        self._network = network

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._addresses(host, port)
                return await self._first_that_answers(host, port, addresses, socket_options)
        except TimeoutError:
            raise httpcore.ConnectTimeout from None

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolve(host, port)
        except TimeoutError:
            raise
        except OSError:
            addresses = []
        if not addresses:
            raise httpcore.ConnectError("the name does not resolve")
        self._policy.check(host, port, addresses)
        return addresses

    async def _first_that_answers(
        self,
        host: str,
        port: int,
        addresses: Sequence[str],
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.AsyncNetworkStream:
        for address in addresses[:ADDRESSES_TRIED_MAX]:
            try:
                stream = await self._network.connect_tcp(
                    address, port, socket_options=socket_options
                )
            except httpcore.ConnectError:
                continue  # the next address of the same name may be up
            await self._check_peer(host, port, stream)
            return stream
        raise httpcore.ConnectError("nothing answers there")

    async def _check_peer(self, host: str, port: int, stream: httpcore.AsyncNetworkStream) -> None:
        """Once more on the address that the socket really has, before a byte is sent."""
        try:
            self._policy.check(host, port, [stream.get_extra_info("server_addr")[0]])
        except EgressRefused:
            await stream.aclose()
            raise

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> NoReturn:
        raise EgressRefused("", "unix-socket")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
