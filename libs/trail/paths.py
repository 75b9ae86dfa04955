"""Proofs in the tree (RFC 9162 §2.1): inclusion, consistency, covers of a range; made and checked.

Each proof is first a list of ranges [start, end) of leaves (`tree.spans` says which stored hashes
they need), then the hashes of these ranges.
"""

from collections.abc import Iterable, Sequence

from libs.trail.tree import EMPTY, HashOf, Range, cover, node, node_hash, range_hash

Leaves = tuple[int, int]


def inclusion_ranges(index: int, size: int) -> list[Leaves]:
    """The subtrees beside the way from a leaf to the root, from below."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    start, end, found = 0, size, []
    while end - start > 1:
        middle = start + _largest_power_below(end - start)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    return found[::-1]


def consistency_ranges(old: int, new: int) -> list[Leaves]:
    """What shows that the tree of `old` leaves is the beginning of that of `new`."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {old} leaves is no beginning of one of {new}")
    if old in (0, new):
        return []
    start, end, found = 0, new, []
    while old != end:
        middle = start + _largest_power_below(end - start)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    if start:
        found.append((start, end))
    return found[::-1]


def hashes(ranges: Iterable[Leaves], hash_of: HashOf) -> list[bytes]:
    return [range_hash(start, end, hash_of) for start, end in ranges]


def inclusion(index: int, size: int, hash_of: HashOf) -> list[bytes]:
    return hashes(inclusion_ranges(index, size), hash_of)


def consistency(old: int, new: int, hash_of: HashOf) -> list[bytes]:
    return hashes(consistency_ranges(old, new), hash_of)


def covering(start: int, end: int, hash_of: HashOf) -> list[bytes]:
    """An export's `left` (0 to first) and `right` (first + count to size)."""
    return [node_hash(level, index, hash_of) for level, index in cover(start, end)]


def root_by_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that a leaf and its proof lead to; ValueError when the proof cannot be one."""
    ranges = inclusion_ranges(index, size)
    if len(ranges) != len(proof):
        raise ValueError(f"the proof has {len(proof)} hashes, it takes {len(ranges)}")
    root = leaf
    for (start, _), beside in zip(ranges, proof, strict=True):
        root = node(root, beside) if start > index else node(beside, root)
    return root


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    try:
        return root_by_inclusion(leaf, index, size, proof) == root
    except ValueError:
        return False


def consistent(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """RFC 9162 §2.1.4.2; the empty tree is the beginning of every tree."""
    if not 0 <= old <= new or len(consistency_ranges(old, new)) != len(proof):
        return False
    if old == new:
        return old_root == new_root
    if old == 0:
        return old_root == EMPTY
    steps = list(proof) if old & (old - 1) else [old_root, *proof]
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = steps[0]
    for hash_ in steps[1:]:
        if at & 1 or at == last:
            before, after = node(hash_, before), node(hash_, after)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            after = node(after, hash_)
        at, last = at >> 1, last >> 1
    return before == old_root and after == new_root


def root_around(
    first: int, leaves: Iterable[bytes], left: Sequence[bytes], right: Sequence[bytes], size: int
) -> bytes:
    """The root from the leaves from `first` on and what covers the rest; ValueError otherwise."""
    whole = Range()
    _add(whole, 0, first, left, "left")
    for leaf in leaves:
        whole.add(0, leaf)
    _add(whole, whole.end, size, right, "right")
    if whole.end != size:
        raise ValueError(f"the leaves end at {whole.end}, the tree at {size}")
    return whole.root()


def _add(whole: Range, start: int, end: int, given: Sequence[bytes], side: str) -> None:
    nodes = list(cover(start, end))
    if len(nodes) != len(given):
        raise ValueError(f"`{side}` has {len(given)} hashes, it takes {len(nodes)}")
    for (level, _), hash_ in zip(nodes, given, strict=True):
        whole.add(level, hash_)


def _largest_power_below(count: int) -> int:
    return 1 << (count - 1).bit_length() - 1
