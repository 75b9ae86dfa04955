"""Proofs: every true one verifies, no other leaf, size or root does; made equal to the RFC's."""

from functools import cache
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests_support import trail_reference as reference

from libs.trail import paths, tree

SIZE = 300
LEAVES = [sha256(b"%d" % number).digest() for number in range(SIZE)]
KEPT = {(0, at): leaf for at, leaf in enumerate(LEAVES)} | {
    (one.level, one.at): one.hash for one in tree.Frontier().extend(LEAVES)
}
ROOTS = [tree.EMPTY]
for _size in range(1, SIZE + 1):
    ROOTS.append(reference.mth(LEAVES[:_size]))
KNOWN_TEXTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
               "606162636465666768696a6b6c6d6e6f"]  # fmt: skip
KNOWN = [sha256(b"\x00" + bytes.fromhex(text)).digest() for text in KNOWN_TEXTS]
sizes = st.integers(1, SIZE)


def hash_of(level: int, at: int) -> bytes:
    return KEPT[level, at]


@cache
def hash_of_range(start: int, end: int) -> bytes:
    return tree.range_hash(start, end, hash_of)


def known_hash(level: int, at: int) -> bytes:
    assert level == 0
    return KNOWN[at]


def test_every_leaf_of_every_tree_up_to_300_is_proved_included():
    for size in range(1, SIZE + 1):
        for index in range(size):
            proof = [hash_of_range(*pair) for pair in paths.inclusion_ranges(index, size)]

            assert paths.included(LEAVES[index], index, size, proof, ROOTS[size]), (index, size)


@given(st.data())
def test_an_inclusion_proof_is_the_audit_path_of_the_rfc(data):
    size = data.draw(sizes)
    index = data.draw(st.integers(0, size - 1))

    assert paths.inclusion(index, size, hash_of) == reference.path(index, LEAVES[:size])


def test_no_proof_fits_another_leaf_of_its_tree():
    for size in (1, 2, 3, 7, 8, 64, 65, 200, 300):
        for index in range(0, size, 7):
            proof = paths.inclusion(index, size, hash_of)
            fitting = [
                at for at in range(size)
                if paths.included(LEAVES[at], index, size, proof, ROOTS[size])
            ]  # fmt: skip

            assert fitting == [index]


@given(st.data())
def test_no_proof_fits_another_place_size_or_root(data):
    size = data.draw(st.integers(2, SIZE))
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1).filter(lambda at: at != index))
    proof = paths.inclusion(index, size, hash_of)
    leaf = LEAVES[index]

    assert not paths.included(leaf, other, size, proof, ROOTS[size])
    assert not paths.included(leaf, index, size, proof, ROOTS[size - 1])
    assert not paths.included(leaf, index, size, [*proof, bytes(32)], ROOTS[size])
    assert not paths.included(leaf, index, size, proof[:-1], ROOTS[size])
    assert not paths.included(leaf, size, size, proof, ROOTS[size])


@given(st.data())
def test_no_changed_hash_passes_in_an_inclusion_proof(data):
    size = data.draw(st.integers(2, SIZE))
    index = data.draw(st.integers(0, size - 1))
    proof = paths.inclusion(index, size, hash_of)
    at = data.draw(st.integers(0, len(proof) - 1))
    proof[at] = flipped(proof[at], data.draw(st.integers(0, 255)))

    assert not paths.included(LEAVES[index], index, size, proof, ROOTS[size])


def flipped(hash_: bytes, bit: int) -> bytes:
    return (int.from_bytes(hash_, "big") ^ (1 << bit)).to_bytes(32, "big")


def test_all_sizes_up_to_300_are_proved_consistent_with_each_other():
    for new in range(SIZE + 1):
        for old in range(new + 1):
            proof = [hash_of_range(*pair) for pair in paths.consistency_ranges(old, new)]

            assert paths.consistent(old, new, ROOTS[old], ROOTS[new], proof), (old, new)


@given(st.data())
def test_a_consistency_proof_is_that_of_the_rfc(data):
    new = data.draw(sizes)
    old = data.draw(st.integers(1, new))

    assert paths.consistency(old, new, hash_of) == reference.proof(old, LEAVES[:new])


@given(st.data())
def test_a_rewritten_beginning_is_never_consistent(data):
    new = data.draw(st.integers(2, SIZE))
    old = data.draw(st.integers(1, new - 1))
    at = data.draw(st.integers(0, old - 1))
    rewritten = [*LEAVES[:at], bytes(32), *LEAVES[at + 1 :]]
    proof = reference.proof(old, rewritten[:new])
    root = reference.mth(rewritten[:new])

    assert not paths.consistent(old, new, ROOTS[old], root, proof)


@given(st.data())
def test_no_changed_hash_passes_in_a_consistency_proof(data):
    new = data.draw(st.integers(2, SIZE))
    old = data.draw(st.integers(1, new - 1))
    proof = paths.consistency(old, new, hash_of)
    at = data.draw(st.integers(0, len(proof) - 1))
    proof[at] = flipped(proof[at], data.draw(st.integers(0, 255)))

    assert not paths.consistent(old, new, ROOTS[old], ROOTS[new], proof)


def test_a_tree_never_shrinks_nor_changes_at_its_size():
    assert not paths.consistent(8, 7, ROOTS[8], ROOTS[7], [])
    assert not paths.consistent(8, 8, ROOTS[8], ROOTS[7], [])
    assert not paths.consistent(0, 8, ROOTS[1], ROOTS[8], [])
    assert not paths.consistent(7, 8, ROOTS[7], ROOTS[8], [])


@given(st.data())
def test_leaves_of_a_range_and_what_covers_the_rest_give_the_root(data):
    size = data.draw(st.integers(0, SIZE))
    first = data.draw(st.integers(0, size))
    end = data.draw(st.integers(first, size))
    left = paths.covering(0, first, hash_of)
    right = paths.covering(end, size, hash_of)
    expected = [reference.mth(LEAVES[a:b]) for a, b in reference.covered(end, size)]

    assert right == expected
    assert paths.root_around(first, LEAVES[first:end], left, right, size) == ROOTS[size]


@pytest.mark.parametrize(
    ("first", "end", "left", "right", "message"),
    [
        (5, 9, 1, 3, "`left` has 1"),
        (5, 9, 2, 2, "`right` has 2"),
        (5, 20, 2, 0, "the leaves end at 20"),
    ],
)
def test_a_cover_with_a_hash_too_few_is_named(first, end, left, right, message):
    with pytest.raises(ValueError, match=message):
        paths.root_around(first, LEAVES[first:end], [bytes(32)] * left, [bytes(32)] * right, 16)


# Proofs of the Certificate Transparency test suite, for the eight leaves above.
INCLUSIONS = {
    (0, 8): ["96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
             "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
             "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"],
    (5, 8): ["bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
             "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
             "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"],
}  # fmt: skip
CONSISTENCIES = {
    (1, 8): INCLUSIONS[0, 8],
    (6, 8): ["0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
             "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
             "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"],
    (2, 5): ["5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
             "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"],
}  # fmt: skip


@pytest.mark.parametrize("at", INCLUSIONS)
def test_inclusion_proofs_are_the_known_ones(at):
    assert [hash_.hex() for hash_ in paths.inclusion(at[0], at[1], known_hash)] == INCLUSIONS[at]


@pytest.mark.parametrize("between", CONSISTENCIES)
def test_consistency_proofs_are_the_known_ones(between):
    found = [hash_.hex() for hash_ in paths.consistency(between[0], between[1], known_hash)]

    assert found == CONSISTENCIES[between]
