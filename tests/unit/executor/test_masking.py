"""A secret is masked in a content however its pieces are cut."""

import pytest

from services.executor.masking import MaskedBytes

SECRET = "s3cret-value"


@pytest.mark.parametrize("size", [1, 2, 5, 11, 12, 13, 1000])
def test_a_secret_is_found_across_pieces(size: int) -> None:
    content = b"a" * 30 + SECRET.encode() + b"b" * 7 + SECRET.encode()[::-1] + b"c"
    mask = MaskedBytes([SECRET])
    pieces = [content[i : i + size] for i in range(0, len(content), size)]
    told = b"".join([mask.feed(piece) for piece in pieces]) + mask.rest()
    dots = "•••".encode()
    assert told == b"a" * 30 + dots + b"b" * 7 + dots + b"c"


def test_without_secrets_everything_goes_through_at_once() -> None:
    mask = MaskedBytes([])
    assert (mask.feed(b"abc"), mask.rest()) == (b"abc", b"")
