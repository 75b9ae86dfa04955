"""A second implementation of docs/trail-format.md, straight from its text and from RFC 6962.

It shares nothing with libs/trail and is written in another way (recursion, struct, hmac): where
both agree, the page is understood.
"""

import hmac
import struct
from hashlib import sha256

FIELDS = "id type time producer number actor resource version outcome address agent request data"


def lp(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def salt_of(secret: bytes, name: str) -> bytes:
    return hmac.new(secret, b"troth/audit/salt/v1" + lp(name.encode()), "sha256").digest()


def commitment_of(secret: bytes, name: str, value: str | None) -> bytes:
    shown = b"\x00" if value is None else b"\x01" + value.encode("utf-8")
    salt = salt_of(secret, name)
    return sha256(b"troth/audit/field/v1" + lp(name.encode()) + salt + shown).digest()


def body_of(secret: bytes, values: dict[str, str | None]) -> bytes:
    names = FIELDS.split()
    fields = b"".join(
        lp(name.encode()) + commitment_of(secret, name, values.get(name)) for name in names
    )
    return sha256(b"troth/audit/body/v1" + struct.pack(">H", len(names)) + fields).digest()


def entry_of(trail: str, seq: int, day: int, class_: str, body: bytes) -> bytes:
    return b"".join(
        [
            b"troth/audit/entry/v1",
            lp(trail.encode()),
            struct.pack(">Q", seq),
            struct.pack(">I", day),
            lp(class_.encode()),
            body,
        ]
    )


def leaf_of(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry).digest()


def mth(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, of leaf hashes."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962 §2.1.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def proof(m: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """RFC 6962 §2.1.2, SUBPROOF; PROOF(m, D[n]) is that of a whole tree."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*proof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*proof(m - k, leaves[k:], False), mth(leaves[:k])]


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def covered(start: int, end: int) -> list[tuple[int, int]]:
    """[start, end) as aligned subtrees of powers of two, each the largest that begins there."""
    found = []
    while start < end:
        width = 1
        while start % (width * 2) == 0 and start + width * 2 <= end:
            width *= 2
        found.append((start, start + width))
        start += width
    return found


def leads(m: int, n: int, old: bytes, new: bytes, hashes: list[bytes]) -> bool:
    """Whether a consistency proof leads from one root to the other: `proof`, read backwards."""
    if m in (0, n):
        return not hashes and (m == 0 or old == new)
    left = list(hashes)

    def both(m: int, n: int, whole: bool) -> tuple[bytes, bytes]:
        """The roots of the first m and of all n leaves of a subtree."""
        if m == n:
            same = old if whole else left.pop(0)
            return same, same
        k = split(n)
        if m <= k:
            before, after = both(m, k, whole)
            return before, sha256(b"\x01" + after + left.pop(0)).digest()
        before, after = both(m - k, n - k, False)
        beside = left.pop(0)
        return sha256(b"\x01" + beside + before).digest(), sha256(b"\x01" + beside + after).digest()

    try:
        return both(m, n, True) == (old, new) and not left
    except IndexError:
        return False
