"""Sealed pieces: cut to one size, each bound to its place, one address for one content."""

import pytest

from libs.common.chunks import PIECE_BYTES, Cutter, TooManyBytes, open_piece, seal_piece
from libs.common.privacy import DataKey

KEY = DataKey("org_one", "executions", "k1", b"1" * 32)
OTHER = DataKey("org_two", "executions", "k2", b"2" * 32)


def cut(*chunks: bytes) -> tuple[Cutter, list[bytes]]:
    cutter = Cutter(10 * PIECE_BYTES)
    pieces = [piece for chunk in chunks for _, piece in cutter.feed(chunk)]
    return cutter, pieces + [piece for _, piece in cutter.rest()]


def test_pieces_together_are_what_came_however_it_came() -> None:
    content = bytes(range(256)) * 1025
    whole, parts = cut(content), cut(*(content[i : i + 7919] for i in range(0, len(content), 7919)))
    assert whole[1] == parts[1]
    assert b"".join(whole[1]) == content
    assert [len(piece) for piece in whole[1]] == [PIECE_BYTES, PIECE_BYTES, 256]
    assert whole[0].address(KEY, "text/plain") == parts[0].address(KEY, "text/plain")


def test_an_address_is_of_a_content_a_type_and_an_owner() -> None:
    one, other = cut(b"one")[0], cut(b"other")[0]
    addresses = {
        one.address(KEY, "text/plain"), other.address(KEY, "text/plain"),
        one.address(KEY, "text/html"), one.address(OTHER, "text/plain"),
    }  # fmt: skip
    assert len(addresses) == 4


def test_nothing_is_one_content_too() -> None:
    cutter, pieces = cut()
    assert (cutter.size, cutter.count, pieces) == (0, 0, [])


def test_one_byte_over_the_limit_is_too_much() -> None:
    cutter = Cutter(10)
    cutter.feed(b"0123456789")
    with pytest.raises(TooManyBytes):
        cutter.feed(b"0")


def test_a_piece_opens_in_its_own_place_only() -> None:
    sealed = seal_piece(KEY, "file-org_one-upl_1", 3, b"content")
    assert open_piece(KEY, "file-org_one-upl_1", 3, sealed) == b"content"
    with pytest.raises(ValueError, match="another's place"):
        open_piece(KEY, "file-org_one-upl_1", 2, sealed)
    with pytest.raises(ValueError, match="changed or belongs elsewhere"):
        open_piece(KEY, "file-org_one-upl_2", 3, sealed)
