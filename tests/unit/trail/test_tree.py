"""The tree: known answers of RFC 6962's test vectors, the frontier, covers of ranges."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests_support import trail_reference as reference

from libs.trail import tree

# The leaves and roots of the Certificate Transparency test suite.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
          "606162636465666768696a6b6c6d6e6f"]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
KNOWN = [sha256(b"\x00" + bytes.fromhex(text)).digest() for text in INPUTS]


def leaves_of(count: int) -> list[bytes]:
    return [sha256(b"%d" % number).digest() for number in range(count)]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_that_rfc_6962_implementations_agree_on(size):
    frontier = tree.Frontier()
    frontier.extend(KNOWN[:size])

    assert frontier.root().hex() == ROOTS[size]


def test_a_frontier_has_the_root_of_every_size_however_it_grew():
    leaves = leaves_of(300)
    one_by_one = tree.Frontier()
    for size in range(301):
        at_once = tree.Frontier()
        at_once.extend(leaves[:size])
        expected = reference.mth(leaves[:size])

        assert one_by_one.root() == at_once.root() == expected
        if size < 300:
            one_by_one.extend(leaves[size : size + 1])


@given(st.integers(0, 600), st.integers(0, 600))
def test_a_frontier_goes_on_from_its_bytes(before, after):
    leaves = leaves_of(before + after)
    frontier = tree.Frontier()
    frontier.extend(leaves[:before])
    restored = tree.Frontier.of_bytes(bytes(frontier))
    restored.extend(leaves[before:])

    assert restored.size == before + after
    assert restored.root() == tree.range_hash(0, before + after, stored(leaves))


@pytest.mark.parametrize("broken", [b"\x00" * 7, b"\x00" * 8 + b"x" * 32, b"\x00" * 7 + b"\x01x"])
def test_bytes_that_are_no_frontier_are_refused(broken):
    with pytest.raises(ValueError):
        tree.Frontier.of_bytes(broken)


def test_full_subtrees_of_256_are_given_once_and_in_order():
    leaves = leaves_of(256 * 256 + 300)
    frontier = tree.Frontier()
    given_out = frontier.extend(leaves[:1000]) + frontier.extend(leaves[1000:])
    firsts = [one for one in given_out if one.level == 1]
    seconds = [one for one in given_out if one.level == 2]

    assert [one.at for one in firsts] == list(range(257))
    assert firsts[3].hash == reference.mth(leaves[768:1024])
    assert [(one.at, one.hash) for one in seconds] == [(0, reference.mth(leaves[:65536]))]


def stored(leaves: list[bytes]) -> tree.HashOf:
    """What a service keeps: leaves, and what the frontier gave out."""
    whole = tree.Frontier().extend(leaves)
    kept = {(0, at): leaf for at, leaf in enumerate(leaves)}
    kept |= {(one.level, one.at): one.hash for one in whole}
    return lambda level, at: kept[level, at]


@given(st.integers(0, 700), st.integers(0, 700))
def test_a_cover_is_made_of_the_largest_aligned_subtrees(one, other):
    start, end = sorted((one, other))
    nodes = [(at << level, (at + 1) << level) for level, at in tree.cover(start, end)]

    assert nodes == reference.covered(start, end)


@given(st.integers(0, 700), st.integers(0, 700))
def test_what_is_fetched_beforehand_is_all_that_a_range_asks_for(one, other):
    start, end = sorted((one, other))
    hash_of = stored(leaves_of(700))
    fetched = {
        (level, at): hash_of(level, at)
        for level, first, count in tree.spans([(start, end)])
        for at in range(first, first + count)
    }
    for level, at in tree.cover(start, end):
        wanted = tree.node_hash(level, at, hash_of)

        assert tree.node_hash(level, at, lambda lev, pos: fetched[lev, pos]) == wanted


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_range_that_began_anywhere_joins_to_aligned_subtrees(first, count):
    leaves = leaves_of(first + count)
    grown = tree.Range(first)
    for leaf in leaves[first:]:
        grown.add(0, leaf)
    subtrees = list(reference.covered(first, first + count))

    assert [hash_ for _, hash_ in grown.nodes] == [
        reference.mth(leaves[start:end]) for start, end in subtrees
    ]


def test_a_subtree_that_is_not_aligned_is_refused():
    with pytest.raises(ValueError, match="begins at 3"):
        tree.Range(3).add(1, bytes(32))
