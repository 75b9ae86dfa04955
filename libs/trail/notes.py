"""Checkpoints as C2SP signed notes: Ed25519 signatures, verifier keys, what a checkpoint says."""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from typing import ClassVar, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from libs.trail.tree import HASH_BYTES

ED25519 = b"\x01"
KEY_ID_BYTES = 4
DASH = "— "


class BadNote(ValueError):
    """A note, a key or a checkpoint that does not hold; says in what."""


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def unb64(text: str, length: int | None = None) -> bytes:
    """Standard base 64 with padding, in its one canonical form."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadNote(f"{text[:50]!r} is no base 64") from error
    if b64(data) != text:
        raise BadNote(f"{text[:50]!r} is not the canonical base 64")
    if length is not None and len(data) != length:
        raise BadNote(f"{len(data)} bytes where {length} belong")
    return data


def key_id(name: str, kind: bytes, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + kind + public).digest()[:KEY_ID_BYTES]


@dataclass(frozen=True)
class Verifier:
    """A public key under its name; its text is `<name>+<id in hex>+<base 64>`.

    `kind` is the signature's type byte: the same key of another kind is another key.
    """

    kind: ClassVar[bytes] = ED25519
    says: ClassVar[str] = "Ed25519"
    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not self.name or "+" in self.name or any(c.isspace() for c in self.name):
            raise BadNote("a key's name has neither spaces nor +")

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64(self.kind + self.public)}"

    @property
    def id(self) -> bytes:
        return key_id(self.name, self.kind, self.public)

    @classmethod
    def parse(cls, text: str) -> Self:
        name, _, rest = text.partition("+")
        id_hex, _, encoded = rest.partition("+")
        key = unb64(encoded, 1 + 32)
        if key[:1] != cls.kind:
            raise BadNote(f"the key is not for {cls.says}")
        found = cls(name, key[1:])
        if found.id.hex() != id_hex:
            raise BadNote(f"the key's id is {found.id.hex()}, not {id_hex}")
        return found

    def open(self, note: str) -> str:
        """The text that this key signed; BadNote when it did not. Others may sign too."""
        return self._signed(note)[0]

    def line_of(self, note: str) -> str:
        """The line with which this key signed; BadNote when it did not."""
        return f"{DASH}{self.name} {b64(self._signed(note)[1])}\n"

    def _signed(self, note: str) -> tuple[str, bytes]:
        text, signatures = split_note(note)
        for name, data in signatures:
            if name == self.name and data[:KEY_ID_BYTES] == self.id:
                try:
                    self._verify(text, data[KEY_ID_BYTES:])
                except InvalidSignature:
                    raise BadNote(f"the signature of {self.name} does not fit") from None
                return text, data
        raise BadNote(f"{self.name} ({self.id.hex()}) has not signed it")

    def _verify(self, text: str, signature: bytes) -> None:
        Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())


@dataclass(frozen=True)
class Signer:
    """The private key under its name; never printed."""

    name: str
    private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def of_seed(cls, name: str, seed: bytes) -> "Signer":
        return cls(name, Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def verifier(self) -> Verifier:
        return Verifier(self.name, self.private.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """The note: the text, an empty line, this key's signature."""
        if not text.endswith("\n"):
            raise BadNote("a note's text ends with a line's end")
        return f"{text}\n{self.signature_line(text)}"

    def signature_line(self, text: str) -> str:
        return f"{DASH}{self.name} {b64(self.verifier.id + self.private.sign(text.encode()))}\n"


def split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The signed text, and each signature's name with its key id and signature."""
    text, gap, lines = note.rpartition("\n\n")
    if not gap or not lines.endswith("\n"):
        raise BadNote("no note: text, an empty line, signatures")
    signatures = []
    for line in lines[:-1].split("\n"):
        name, _, encoded = line.removeprefix(DASH).partition(" ")
        if not line.startswith(DASH) or not name:
            raise BadNote(f"{line[:50]!r} is no signature")
        signatures.append((name, unb64(encoded)))
    return text + "\n", signatures


@dataclass(frozen=True)
class Checkpoint:
    """What a signer said: so many entries, and this root."""

    origin: str
    size: int
    root: bytes

    @property
    def trail(self) -> str:
        return self.origin.rpartition("/")[2]

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{b64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        lines = text.split("\n")
        if len(lines) != 4 or lines[3] or not lines[0]:
            raise BadNote("a checkpoint has three lines: origin, size, root")
        if not (lines[1].isascii() and lines[1].isdigit()) or str(int(lines[1])) != lines[1]:
            raise BadNote(f"{lines[1][:50]!r} is no size")
        return cls(lines[0], int(lines[1]), unb64(lines[2], HASH_BYTES))


def origin_of(installation: str, trail: str) -> str:
    return f"{installation}/{trail}"


def signer_name(installation: str) -> str:
    return f"{installation}/audit"
