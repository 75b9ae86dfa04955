"""Every kind of inside address, for all that reaches outside; and roads that lead to a listener."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpcore
import pytest

from libs.egress import Policy

WRITTEN_AS_ADDRESS = {
    "loopback": "127.0.0.1",
    "loopback-elsewhere-in-the-network": "127.8.9.10",
    "decimal": "2130706433",
    "hexadecimal": "0x7f000001",
    "hexadecimal-parts": "0x7f.0x0.0x0.0x1",
    "octal-two-parts": "0177.1",
    "octal-whole": "017700000001",
    "short-two-parts": "127.1",
    "short-three-parts": "127.0.1",
    "ending-in-a-dot": "127.0.0.1.",
    "ideographic-full-stops": "127。0。0。1",
    "zero": "0",
    "unspecified": "0.0.0.0",
    "this-network": "0.1.2.3",
    "private-10": "10.0.0.1",
    "private-10-short": "10.1",
    "private-172": "172.16.0.1",
    "private-172-last": "172.31.255.254",
    "private-192": "192.168.1.1",
    "link-local": "169.254.1.1",
    "metadata": "169.254.169.254",
    "metadata-decimal": "2852039166",
    "metadata-of-oracle": "192.0.0.192",
    "metadata-of-alibaba": "100.100.100.200",
    "azure-platform": "168.63.129.16",
    "carrier-grade-nat": "100.64.0.1",
    "benchmarking": "198.18.0.1",
    "documentation": "203.0.113.7",
    "relay-of-6to4": "192.88.99.1",
    "multicast": "224.0.0.1",
    "multicast-ssdp": "239.255.255.250",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "v6-loopback": "[::1]",
    "v6-loopback-long": "[0:0:0:0:0:0:0:1]",
    "v6-unspecified": "[::]",
    "v6-mapped-loopback": "[::ffff:127.0.0.1]",
    "v6-mapped-hexadecimal": "[::ffff:7f00:1]",
    "v6-mapped-private": "[::ffff:10.0.0.1]",
    "v6-mapped-metadata": "[::ffff:a9fe:a9fe]",
    "v6-translated-siit": "[::ffff:0:127.0.0.1]",
    "v4-compatible": "[::127.0.0.1]",
    "nat64-loopback": "[64:ff9b::7f00:1]",
    "nat64-metadata": "[64:ff9b::169.254.169.254]",
    "nat64-local-prefix": "[64:ff9b:1::a00:1]",
    "6to4-loopback": "[2002:7f00:1::1]",
    "6to4-private": "[2002:a00:1::]",
    "teredo": "[2001:0:7f00:1::80ff:fffe]",
    "isatap-private": "[2600::5efe:10.0.0.1]",
    "v6-link-local": "[fe80::1]",
    "v6-site-local": "[fec0::1]",
    "v6-unique-local": "[fd00::1]",
    "metadata-of-amazon-v6": "[fd00:ec2::254]",
    "v6-multicast": "[ff02::1]",
    "v6-documentation": "[2001:db8::1]",
    "v6-discard": "[100::1]",
    "v6-segment-routing": "[5f00::1]",
}

BEHIND_A_NAME = {
    "private": ["10.0.0.1"],
    "loopback-v6": ["::1"],
    "with-a-scope": ["fe80::1%lo"],
    "public-with-a-scope": ["2600::1%lo"],
    "one-bad-among-good-ones": ["93.184.215.14", "192.168.0.1"],
    "bad-one-last-in-another-family": ["93.184.215.14", "2600::1", "::ffff:169.254.169.254"],
    "no-address-at-all": ["not an address"],
}


class Everything(Policy):
    """The guard switched off."""

    def check(self, host: str, port: int, addresses: Sequence[str]) -> None:
        return None


def always(addresses: Sequence[str]) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    """A name service that gives these addresses for every name."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


def lead_to(port: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Below the guard, any address whatsoever reaches this port here; returns what was dialled."""
    backend: Any = httpcore.AnyIOBackend
    connect = backend.connect_tcp
    dialled: list[str] = []

    async def connect_tcp(self: object, host: str, port_: int, **options: object) -> object:
        dialled.append(host)
        return await connect(self, "127.0.0.1", port, **options)

    monkeypatch.setattr(backend, "connect_tcp", connect_tcp)
    return dialled
