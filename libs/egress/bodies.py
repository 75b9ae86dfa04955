"""Reads an answer's body up to a limit that also holds for what a compressed body unfolds to."""

import zlib
from collections.abc import AsyncIterable, Awaitable, Callable

from libs.egress.errors import EgressFailed

# What a body that does not compress may be longer on the wire than in memory.
WIRE_OVERHEAD_MAX_BYTES = 4096
GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


async def read_body(
    chunks: AsyncIterable[bytes], encoding: str, max_bytes: int, host: str
) -> bytes:
    """The whole body, unfolded; stops reading as soon as the limit is passed."""
    body = bytearray()

    async def take(piece: bytes) -> None:
        nonlocal body
        body += piece

    await pour_body(chunks, encoding, max_bytes, host, take)
    return bytes(body)


async def pour_body(
    chunks: AsyncIterable[bytes], encoding: str, max_bytes: int, host: str,
    take: Callable[[bytes], Awaitable[None]],
) -> None:  # fmt: skip
    """The same, piece by piece to `take`, which may have been given a part when it fails."""
    unfold = _unfolder(encoding, host)
    size, on_the_wire = 0, 0
    async for chunk in chunks:
        on_the_wire += len(chunk)
        piece = unfold.feed(chunk, max_bytes + 1 - size)
        size += len(piece)
        if size > max_bytes or on_the_wire > max_bytes + WIRE_OVERHEAD_MAX_BYTES:
            raise EgressFailed("too-large", host, f"the answer is over {max_bytes} bytes")
        await take(piece)
    unfold.end(anything=on_the_wire > 0)


class _AsItIs:
    def feed(self, chunk: bytes, room: int) -> bytes:
        return chunk[:room]

    def end(self, anything: bool) -> None:
        return None


class _Deflated:
    """gzip (also several members in a row) or deflate, with and without its zlib wrapper."""

    def __init__(self, window_bits: int, host: str) -> None:
        self._window_bits = window_bits
        self._host = host
        self._stream = zlib.decompressobj(window_bits)
        self._first = True

    def feed(self, chunk: bytes, room: int) -> bytes:
        """At most `room` bytes, however much the chunk would unfold to."""
        unfolded = bytearray()
        while chunk and len(unfolded) < room:
            if self._stream.eof:
                self._stream = zlib.decompressobj(self._window_bits)
            unfolded += self._decompress(chunk, room - len(unfolded))
            chunk = self._stream.unused_data
        return bytes(unfolded)

    def _decompress(self, chunk: bytes, room: int) -> bytes:
        first, self._first = self._first, False
        try:
            return self._stream.decompress(chunk, room)
        except zlib.error:
            if first and self._window_bits == zlib.MAX_WBITS:
                self._window_bits = -zlib.MAX_WBITS
                self._stream = zlib.decompressobj(self._window_bits)
                return self._decompress(chunk, room)
            raise EgressFailed("protocol", self._host, "the compressed body is broken") from None

    def end(self, anything: bool) -> None:
        if anything and not self._stream.eof:
            raise EgressFailed("protocol", self._host, "the compressed body is cut off")


def _unfolder(encoding: str, host: str) -> _AsItIs | _Deflated:
    match encoding.strip().lower():
        case "" | "identity":
            return _AsItIs()
        case "gzip" | "x-gzip":
            return _Deflated(GZIP_OR_ZLIB, host)
        case "deflate":
            return _Deflated(zlib.MAX_WBITS, host)
        case _:
            raise EgressFailed("protocol", host, "the body's encoding was not asked for")
