"""Large contents in sealed pieces: cut to one size, each bound to its place, one address."""

from hashlib import sha256

from libs.common.privacy import DataKey

PIECE_BYTES = 131_072
_PLACE_BYTES = 4
_ADDRESS_CHARACTERS = 40


class TooManyBytes(ValueError):
    """There is more than the limit allows."""


class Cutter:
    """Takes bytes as they come and gives full pieces; at the end it knows size and address."""

    def __init__(self, limit: int) -> None:
        self._limit, self._left, self._digest = limit, bytearray(), sha256()
        self.size = self.count = 0

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The pieces that are full now, each with its number. Raises TooManyBytes."""
        self.size += len(data)
        if self.size > self._limit:
            raise TooManyBytes(f"more than {self._limit} bytes")
        self._digest.update(data)
        self._left += data
        full: list[tuple[int, bytes]] = []
        while len(self._left) >= PIECE_BYTES:
            full.append(self._numbered(bytes(self._left[:PIECE_BYTES])))
            del self._left[:PIECE_BYTES]
        return full

    def rest(self) -> list[tuple[int, bytes]]:
        """What is left at the end: one piece or none."""
        return [self._numbered(bytes(self._left))] if self._left else []

    def _numbered(self, piece: bytes) -> tuple[int, bytes]:
        self.count += 1
        return self.count - 1, piece

    def address(self, key: DataKey, media_type: str) -> str:
        """The same for the same content and type under one key; it tells nothing without it."""
        return key.digest(f"{media_type}\x00{self._digest.hexdigest()}", "file")[
            :_ADDRESS_CHARACTERS
        ]


def seal_piece(key: DataKey, stream: str, number: int, piece: bytes) -> str:
    return key.seal_bytes(number.to_bytes(_PLACE_BYTES) + piece, stream)


def open_piece(key: DataKey, stream: str, number: int, sealed: str) -> bytes:
    """Raises ValueError when the piece was changed or stands elsewhere, Forgotten without a key."""
    opened = key.open_bytes(sealed, stream)
    if opened[:_PLACE_BYTES] != number.to_bytes(_PLACE_BYTES):
        raise ValueError("a piece stands in another's place")
    return opened[_PLACE_BYTES:]
