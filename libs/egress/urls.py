"""One reading of a URL, used for every decision and for the request itself."""

import re
from collections.abc import Collection
from ipaddress import IPv6Address

import httpx

from libs.egress.errors import EgressRefused

SCHEMES = {"http": 80, "https": 443}
PORT_MAX = 65535
URL_CHARACTERS_MAX = 8192
HOST_CHARACTERS_MAX = 253
LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")


def parse(text: str) -> httpx.URL:
    """The URL in its one canonical form, or a refusal that names the rule."""
    try:
        if len(text) > URL_CHARACTERS_MAX:
            raise EgressRefused("", "url")
        return canonical(httpx.URL(text))
    except (httpx.InvalidURL, ValueError):
        raise EgressRefused("", "url") from None


def join(base: httpx.URL, location: str) -> httpx.URL:
    """Where a redirect leads, read as strictly as the first URL."""
    try:
        return parse(str(base.join(location)))
    except (httpx.InvalidURL, ValueError):
        raise EgressRefused(base.host, "url") from None


def canonical(url: httpx.URL) -> httpx.URL:
    """Only http and https, a plain host, no user information; without trailing dot or fragment."""
    host = url.raw_host.decode("ascii")
    if url.scheme not in SCHEMES:
        raise EgressRefused(host, "scheme")
    if not 1 <= port_of(url) <= PORT_MAX:
        raise EgressRefused(host, "url")
    if url.userinfo:
        raise EgressRefused(host, "userinfo")
    return url.copy_with(host=canonical_host(host), fragment=None)


def canonical_host(name: str) -> str:
    """A host as it is compared and looked up: lower case ASCII, no trailing dot, short IPv6."""
    if ":" in name:
        return _ipv6(name)
    try:
        host = httpx.URL(scheme="http", host=name.removesuffix(".")).raw_host.decode("ascii")
    except (httpx.InvalidURL, ValueError):
        raise EgressRefused(name, "url") from None
    if len(host) > HOST_CHARACTERS_MAX or not all(map(LABEL.fullmatch, host.split("."))):
        raise EgressRefused(host, "url")
    return host


def _ipv6(name: str) -> str:
    try:
        address = IPv6Address(name)
    except ValueError:
        raise EgressRefused(name, "url") from None
    if address.scope_id is not None:
        raise EgressRefused(name, "url")
    return str(address)


def port_of(url: httpx.URL) -> int:
    """The port the connection goes to, written or implied."""
    return SCHEMES[url.scheme] if url.port is None else url.port


def origin(url: httpx.URL) -> tuple[str, str, int]:
    """Two URLs with the same origin may see each other's credentials."""
    return url.scheme, url.host, port_of(url)


def must_be_listed(url: httpx.URL, hosts: Collection[str] | None) -> None:
    """Refuses a host that the caller's own list does not name; no list means no such limit."""
    if hosts is None:
        return
    if url.raw_host.decode("ascii") not in {canonical_host(host) for host in hosts}:
        raise EgressRefused(url.host, "host-not-listed")
