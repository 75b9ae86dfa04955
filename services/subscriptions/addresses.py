"""Is a URL one that deliveries may go to? What the URL itself shows; the guard decides again."""

import socket
from ipaddress import ip_address

from libs.egress import EgressRefused, Policy
from libs.egress.urls import parse, port_of
from services.subscriptions.contract import UrlNotAllowed


def host_of(url: str, policy: Policy) -> str:
    """Its host in one canonical form; a URL that can't be allowed is refused in one text."""
    try:
        parsed = parse(url)
        host = parsed.raw_host.decode("ascii").strip("[]")
        policy.check(host, port_of(parsed), _shown_by(host))
    except EgressRefused:
        raise UrlNotAllowed("deliveries can't go to this URL") from None
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
