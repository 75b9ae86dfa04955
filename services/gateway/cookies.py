"""The session cookie: read byte by byte, because lenient parsers let one name pass for another."""

from collections.abc import Iterable

from libs.common.errors import FieldProblem, Malformed

SECURE_NAME, PLAIN_NAME = "__Host-troth", "troth"
_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_VALUE = frozenset(range(0x21, 0x7F)) - frozenset(b'",;\\')


def cookie_name(*, secure: bool) -> str:
    """`__Host-` needs Secure, which plain HTTP on loopback can't have."""
    return SECURE_NAME if secure else PLAIN_NAME


def session_cookie(headers: Iterable[tuple[bytes, bytes]], *, secure: bool) -> str | None:
    """The session's token, or None. Raises Malformed for a header that could be read two ways.

    Only space and tab around a pair are ignored: what other parsers strip (0x85, 0xA0) would let
    `\\xa0__Host-troth` overwrite `__Host-troth`.
    """
    wanted = cookie_name(secure=secure).encode()
    found: list[bytes] = []
    for name, line in headers:
        if name != b"cookie":
            continue
        if any((byte < 0x20 and byte != 0x09) or byte > 0x7E for byte in line):
            raise _malformed("holds bytes that are no visible ASCII")
        for pair in line.split(b";"):
            key, equals, value = pair.strip(b" \t").partition(b"=")
            if key != wanted:
                _not_nearly(key, wanted)
            elif equals:
                found.append(value)
    if len(found) > 1:
        raise _malformed("holds the session twice")
    if not found or not found[0]:
        return None
    if not _VALUE.issuperset(found[0]):
        raise _malformed("holds a session that we never gave")
    return found[0].decode()


def _not_nearly(key: bytes, wanted: bytes) -> None:
    """A name that becomes ours when somebody strips or folds it is refused, not ignored."""
    if wanted.lower() in key.lower() and not _TOKEN.issuperset(key):
        raise _malformed("holds a name that is nearly ours")


def set_cookie(token: str, *, secure: bool, max_age_s: int) -> str:
    """The `Set-Cookie` value for a new session."""
    name = cookie_name(secure=secure)
    tail = "; Secure" if secure else ""
    return f"{name}={token}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{tail}"


def clear_cookie(*, secure: bool) -> str:
    return set_cookie("", secure=secure, max_age_s=0)


def _malformed(what: str) -> Malformed:
    problem = FieldProblem(pointer="Cookie", rule="cookie-syntax", detail=what)
    return Malformed("the Cookie header can't be read", errors=[problem])
