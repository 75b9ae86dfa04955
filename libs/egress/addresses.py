"""Which addresses are public, by the registries of special-purpose addresses (IANA, 2025)."""

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)

Address = IPv4Address | IPv6Address

# Written out, because `is_global` of the standard library differs between patch releases.
NOT_PUBLIC_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network; 0.0.0.0 connects to the machine itself
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; metadata of Alibaba Cloud
        "127.0.0.0/8",
        "168.63.129.16/32",  # the platform of Azure, from inside a virtual machine
        "169.254.0.0/16",  # link-local; metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments; metadata of Oracle Cloud
        "192.0.2.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved and broadcast
    )
)

# Public IPv6 is what lies in here and in none of the networks below.
GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")
NOT_PUBLIC_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4: a tunnel to an IPv4 address
        "3fff::/20",
    )
)
NAT64 = IPv6Network("64:ff9b::/96")
ISATAP_MARKS = (b"\x00\x00\x5e\xfe", b"\x02\x00\x5e\xfe")


def is_public(text: str) -> bool:
    """Whether a connection to this address leaves for the public internet.

    An IPv6 address that carries an IPv4 destination is judged by that destination; a tunnel
    (6to4, Teredo, the IPv4-compatible form) is never public, whatever it carries.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return _is_public_v4(address)
    if address.scope_id is not None:
        return False
    translated = _translated(address)
    if translated is not None:
        return _is_public_v4(translated)
    tunnelled = _isatap(address)
    if tunnelled is not None and not _is_public_v4(tunnelled):
        return False
    return address in GLOBAL_UNICAST_V6 and not any(address in net for net in NOT_PUBLIC_V6)


def _is_public_v4(address: IPv4Address) -> bool:
    return not any(address in network for network in NOT_PUBLIC_V4)


def _translated(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in NAT64:
        return IPv4Address(address.packed[12:])
    return None


def _isatap(address: IPv6Address) -> IPv4Address | None:
    if address.packed[8:12] in ISATAP_MARKS:
        return IPv4Address(address.packed[12:])
    return None
