"""What the operator allows beyond the public internet, and the decision on each connection."""

import re
from collections.abc import Sequence

from libs.egress.addresses import is_public
from libs.egress.errors import EgressRefused
from libs.egress.urls import PORT_MAX, canonical_host

PAIR = re.compile(r"(?:\[(?P<v6>[^\]]*:[^\]]*)\]|(?P<name>[^:\[\]]+)):(?P<port>[1-9][0-9]{0,4})")

# Ports of other protocols that a crafted HTTP request could speak to: the "bad ports" of the
# WHATWG fetch standard, which browsers refuse as well.
PORTS_OF_OTHER_PROTOCOLS = frozenset(
    {1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95}
    | {101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161}
    | {179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563}
    | {587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060}
    | {5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080}
)


class Policy:
    """Public addresses only, plus the pairs of host and port that the operator names.

    A named pair ("127.0.0.1:8099", "receiver.internal:443", "[::1]:80") allows exactly this host
    as it is written in the URL, whatever it resolves to, with exactly this port.
    """

    def __init__(self, allow: Sequence[str] = ()) -> None:
        self._named = frozenset(map(_pair, allow))

    def check(self, host: str, port: int, addresses: Sequence[str]) -> None:
        """Raises `EgressRefused` unless every one of the addresses may be connected to."""
        if (host, port) in self._named:
            return
        if port in PORTS_OF_OTHER_PROTOCOLS:
            raise EgressRefused(host, "port")
        if not all(map(is_public, addresses)):
            raise EgressRefused(host, "not-public")


def _pair(text: str) -> tuple[str, int]:
    found = PAIR.fullmatch(text)
    if found is None or int(found["port"]) > PORT_MAX:
        raise ValueError(f"egress: {text!r} is not of the form host:port")
    try:
        return canonical_host(found["v6"] or found["name"]), int(found["port"])
    except EgressRefused:
        raise ValueError(f"egress: {text!r} does not name a host") from None
