"""The sealed detail of an entry: all its fields and what opens its commitments.

Sealed under the key of its day; actor, address, user agent and the secret of their salts once more
under the person's key, so that they can be forgotten before the day is.
"""

import logging
from collections.abc import Callable, Sequence
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag

from libs.common.privacy import FORGOTTEN, DataKey
from libs.common.privacy import Forgotten as KeyGone
from libs.trail.canonical import FIELDS, SECRET_BYTES, commitment, commitments, salts
from services.audit.daykeys import DayKey
from services.audit.people import People

log = logging.getLogger(__name__)
Values = Sequence[str | None]
Random = Callable[[int], bytes]
NONCE_BYTES = 12
PERSONAL = tuple(FIELDS.index(name) for name in ("actor", "address", "agent"))
ACTOR, RESOURCE, ADDRESS, OUTCOME = (
    FIELDS.index(name) for name in ("actor", "resource", "address", "outcome")
)
STREAM = "troth/audit/detail"
_AAD = b"troth/audit/detail/v1"


class Personal(msgspec.Struct, array_like=True):
    """What a person's key seals: the secret of these fields, then their values."""

    secret: bytes
    values: list[str | None]


class Detail(msgspec.Struct, array_like=True):
    """`values` in the order of FIELDS; where `person` is set, theirs are in there.

    `closed` are the commitments of those fields, for when nobody can open them any more.
    """

    secret: bytes
    values: list[str | None]
    kind: str
    person: str | None = None
    closed: list[bytes] | None = None


_encode = msgspec.msgpack.Encoder().encode
_detail = msgspec.msgpack.Decoder(Detail).decode
_personal = msgspec.msgpack.Decoder(Personal).decode


def enclose(
    values: Values, kind: str, key: DataKey | None, random: Random
) -> tuple[bytes, list[bytes]]:
    """The detail to seal, and the commitments of its fields; `key` is the acting person's."""
    secret = random(SECRET_BYTES)
    committed = commitments(secret, values)
    if key is None:
        return _encode(Detail(secret, list(values), kind)), committed
    own = Personal(random(SECRET_BYTES), [values[at] for at in PERSONAL])
    theirs = salts(own.secret)
    closed = [commitment(FIELDS[at], theirs[at], values[at]) for at in PERSONAL]
    others = list(values)
    for at, hidden in zip(PERSONAL, closed, strict=True):
        others[at], committed[at] = None, hidden
    person = key.seal_bytes(_encode(own), STREAM)
    return _encode(Detail(secret, others, kind, person, closed)), committed


def seal(plain: bytes, key: DayKey, trail: UUID, seq: int, random: Random) -> bytes:
    nonce = random(NONCE_BYTES)
    return nonce + key.cipher(trail).encrypt(nonce, plain, _bound(trail, seq, key.day))


class Opened:
    """An entry as its detail shows it. `hidden` when the person was forgotten."""

    def __init__(self, detail: Detail, personal: Personal | None) -> None:
        self.detail, self.personal = detail, personal
        self.kind, self.hidden = detail.kind, detail.person is not None and personal is None
        self.values = list(detail.values)
        self._secret, self._closed = detail.secret, detail.closed
        if personal is not None:
            for at, value in zip(PERSONAL, personal.values, strict=True):
                self.values[at] = value
        elif self.hidden:
            self.values[ACTOR] = FORGOTTEN

    def __getitem__(self, name: str) -> str | None:
        return self.values[FIELDS.index(name)]

    def commitments(self) -> list[bytes]:
        """In the order of FIELDS; those of a forgotten person as they were kept."""
        found = commitments(self._secret, self.values)
        for at, closed in zip(PERSONAL, self._closed or (), strict=False):
            found[at] = closed
        return found

    def salts(self) -> dict[str, bytes]:
        """What opens each field that can still be opened."""
        found = dict(zip(FIELDS, salts(self._secret), strict=True))
        if self._closed is not None:
            theirs = salts(self.personal.secret) if self.personal is not None else None
            for at in PERSONAL:
                del found[FIELDS[at]]
                if theirs is not None:
                    found[FIELDS[at]] = theirs[at]
        return found


class Held(msgspec.Struct, array_like=True):
    """An entry as a case keeps it: opened, because a case outlives the day and the person."""

    detail: Detail
    personal: Personal | None


_held = msgspec.msgpack.Decoder(Held).decode


def held(opened: Opened) -> bytes:
    """What a case seals under its own key."""
    return _encode(Held(opened.detail, opened.personal))


def of_held(plain: bytes) -> Opened:
    found = _held(plain)
    return Opened(found.detail, found.personal)


async def unseal(
    sealed: bytes, key: DayKey, trail: UUID, seq: int, people: People
) -> Opened | None:
    """None for what this key does not open: changed, moved, or of a ratchet that was lost."""
    plain = _plain(sealed, key, trail, seq)
    if plain is None:
        return None
    detail = _detail(plain)
    personal = None
    if detail.person is not None:
        owned = await people.by_id(detail.person.split(".")[1])
        if owned is not None:
            try:
                personal = _personal(owned.open_bytes(detail.person, STREAM))
            except KeyGone:
                personal = None
            except ValueError:
                log.error("not opened by its person's key", extra={"day": key.day, "seq": seq})
    return Opened(detail, personal)


def glance(sealed: bytes, key: DayKey, trail: UUID, seq: int) -> Values | None:
    """All fields but those under a person's key."""
    plain = _plain(sealed, key, trail, seq)
    return _detail(plain).values if plain is not None else None


def opens(sealed: bytes, key: DayKey, trail: UUID, seq: int) -> bool:
    return _plain(sealed, key, trail, seq) is not None


def _plain(sealed: bytes, key: DayKey, trail: UUID, seq: int) -> bytes | None:
    try:
        return key.cipher(trail).decrypt(sealed[:12], sealed[12:], _bound(trail, seq, key.day))
    except InvalidTag:
        return None


def _bound(trail: UUID, seq: int, day: int) -> bytes:
    return _AAD + trail.bytes + seq.to_bytes(8, "big") + day.to_bytes(4, "big")
