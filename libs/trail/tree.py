"""The RFC 6962 tree: its hashes, the frontier that grows it, and ranges of leaves.

A node is (level, index): the perfect subtree of 2**level leaves from index * 2**level on. Tiles are
256 wide, so a tile's level t holds the nodes of level 8 * t.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

HASH_BYTES = 32
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
EMPTY = hashlib.sha256().digest()
SIZE_BYTES = 8
HashOf = Callable[[int, int], bytes]
"""(tile level, index) to the hash: level 0 the leaf, level 1 the root of 256 leaves, and so on."""

_sha256 = hashlib.sha256


def node(left: bytes, right: bytes) -> bytes:
    return _sha256(b"\x01" + left + right).digest()


class Whole(NamedTuple):
    """A hash for the tiles of level 1 and above: the `at`-th subtree of 256**level leaves."""

    level: int
    at: int
    hash: bytes


class Frontier:
    """The perfect subtrees that cover all leaves, the largest first: all that growing needs."""

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size = size
        self.hashes = list(hashes)
        if size < 0 or len(self.hashes) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves is not covered by {len(self.hashes)} hashes")

    def extend(self, leaves: Iterable[bytes]) -> list[Whole]:
        """Appends leaf hashes; what became whole and belongs into the tiles above level 0."""
        size, hashes, whole = self.size, self.hashes, []
        for hash_ in leaves:
            # As many subtrees merge as the old size has ones at its end.
            level, rest = 0, size
            while rest & 1:
                hash_ = _sha256(b"\x01" + hashes.pop() + hash_).digest()
                rest >>= 1
                level += 1
                if level % TILE_HEIGHT == 0:
                    whole.append(Whole(level // TILE_HEIGHT, rest, hash_))
            hashes.append(hash_)
            size += 1
        self.size = size
        return whole

    def root(self) -> bytes:
        return fold(self.hashes)

    def __bytes__(self) -> bytes:
        return self.size.to_bytes(SIZE_BYTES, "big") + b"".join(self.hashes)

    @classmethod
    def of_bytes(cls, kept: bytes) -> "Frontier":
        """From what `bytes(frontier)` gave; ValueError when it is none."""
        if len(kept) < SIZE_BYTES:
            raise ValueError(f"{len(kept)} bytes are no frontier")
        return cls(int.from_bytes(kept[:SIZE_BYTES], "big"), split(kept[SIZE_BYTES:]))


class Range:
    """The perfect subtrees that cover the leaves from `first` on, aligned as in the whole tree."""

    def __init__(self, first: int = 0) -> None:
        self.end = first
        self.nodes: list[tuple[int, bytes]] = []

    def add(self, level: int, hash_: bytes) -> None:
        """Appends a subtree of 2**level leaves; ValueError when it is not aligned there."""
        if self.end & ((1 << level) - 1):
            raise ValueError(f"no subtree of {1 << level} leaves begins at {self.end}")
        self.end += 1 << level
        while self.nodes and self.nodes[-1][0] == level and not self.end & ((2 << level) - 1):
            hash_ = node(self.nodes.pop()[1], hash_)
            level += 1
        self.nodes.append((level, hash_))

    def root(self) -> bytes:
        """Of the tree, when the range began at 0."""
        return fold([hash_ for _, hash_ in self.nodes])


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root above perfect subtrees that stand beside each other, the largest first."""
    if not hashes:
        return EMPTY
    root = hashes[-1]
    for hash_ in reversed(hashes[:-1]):
        root = node(hash_, root)
    return root


def split(hashes: bytes) -> list[bytes]:
    """Hashes that were joined; ValueError when a part is left over."""
    if len(hashes) % HASH_BYTES:
        raise ValueError(f"{len(hashes)} bytes are no whole number of hashes")
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def cover(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The nodes that cover the leaves of [start, end), each the largest aligned one that fits."""
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        yield level, start >> level
        start += 1 << level


def spans(ranges: Iterable[tuple[int, int]]) -> set[tuple[int, int, int]]:
    """What `range_hash` will ask of the tiles for these ranges: (tile level, first, count).

    So that whoever stores the hashes can fetch them with one query beforehand.
    """
    found = set()
    for start, end in ranges:
        for level, index in cover(start, end):
            tile_level, above = divmod(level, TILE_HEIGHT)
            found.add((tile_level, index << above, 1 << above))
    return found


def node_hash(level: int, index: int, hash_of: HashOf) -> bytes:
    """A node's hash from those that the tiles hold."""
    if level % TILE_HEIGHT == 0:
        return hash_of(level // TILE_HEIGHT, index)
    left = node_hash(level - 1, index * 2, hash_of)
    return node(left, node_hash(level - 1, index * 2 + 1, hash_of))


def range_hash(start: int, end: int, hash_of: HashOf) -> bytes:
    """RFC 6962's MTH(D[start:end]), for ranges that its proofs name and for [0, size)."""
    return fold([node_hash(level, index, hash_of) for level, index in cover(start, end)])
