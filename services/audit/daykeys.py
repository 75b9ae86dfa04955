"""The keys of days: a ratchet that only steps forward, kept in two files that step together.

Only the key of the oldest kept day is stored. Every later one follows from it, no earlier one does:
a day is forgotten by replacing the stored key by the next one.
"""

import fcntl
import logging
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from libs.common import clock
from services.audit.dayfile import DayFile, DayFileDamaged, read, replace, wipe_leftovers

if TYPE_CHECKING:
    from services.audit.blind import Blinder

log = logging.getLogger(__name__)
KEPT_DAYS = 90
STEP = b"troth/audit/day/v1"
TRAILS_MAX = 10_000


class KeysDiffer(RuntimeError):
    """The two places hold keys of different ratchets; an operator has to say which one is right."""


class DayForgotten(Exception):
    """The key of this day cannot be computed any more."""


def today_in_utc() -> int:
    return int(clock.seconds()) // 86_400


def hkdf(key: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=info).derive(key)


@dataclass(frozen=True, slots=True, repr=False)
class DayKey:
    """What follows from the key of one day; each use has a key of its own."""

    day: int
    blind: Callable[[bytes], int]
    origin: bytes
    _secret: bytes
    _ciphers: dict[UUID, AESGCM] = field(default_factory=dict)
    blinders: dict[UUID, "Blinder"] = field(default_factory=dict)

    @classmethod
    def of(cls, day: int, secret: bytes) -> "DayKey":
        return cls(day, blinding(hkdf(secret, b"index")), hkdf(secret, b"origin"), secret)

    def cipher(self, trail: UUID) -> AESGCM:
        """Seals the details of one trail."""
        found = self._ciphers.get(trail)
        if found is None:
            if len(self._ciphers) >= TRAILS_MAX:
                self._ciphers.clear()
            found = self._ciphers[trail] = AESGCM(hkdf(self._secret, b"seal|" + trail.bytes))
        return found


def blinding(key: bytes) -> Callable[[bytes], int]:
    """HMAC-SHA-256 under the key, its first 64 bits: written out, so that the two keyed states are
    made once for a day."""
    block = key.ljust(64, b"\x00")
    inner = sha256(block.translate(bytes(byte ^ 0x36 for byte in range(256))))
    outer = sha256(block.translate(bytes(byte ^ 0x5C for byte in range(256))))

    def blind(value: bytes) -> int:
        within, around = inner.copy(), outer.copy()
        within.update(value)
        around.update(within.digest())
        return int.from_bytes(around.digest()[:8], "big", signed=True)

    return blind


class DayKeys:
    """The ratchet of this installation; any number of processes may use it at the same time."""

    def __init__(self, places: Sequence[Path], today: Callable[[], int] = today_in_utc) -> None:
        self._places, self._today = list(places), today
        self._lock = self._places[0].with_name(self._places[0].name + ".lock")
        self._now: DayFile | None = None
        self._seen: tuple[int, int] | None = None
        self._secrets: dict[int, bytes] = {}
        self._days: dict[int, DayKey] = {}

    def refresh(self) -> None:
        """Sees a step that another process made; one look at a file when there was none.

        Brings both places to the later day. Where no place has a key a new ratchet begins: at a
        first start, or when both were lost and with them the details (`lost_keys.py` says so).
        """
        if self._now is None or self._stamp() != self._seen:
            with self._locked():
                self._take(self._level() or self._new())

    @property
    def oldest(self) -> int:
        """The oldest day that is not forgotten."""
        if self._now is None:
            self.refresh()
        assert self._now is not None, "a refresh takes or makes one"
        return self._now.day

    def of(self, day: int) -> DayKey:
        """Raises DayForgotten for a day before the oldest."""
        if day < self.oldest:
            raise DayForgotten(day)
        found = self._days.get(day)
        if found is None:
            found = self._days[day] = DayKey.of(day, self._secret(day))
        return found

    def forget_until(self, day: int) -> int:
        """Steps forward, so that `day` is the oldest kept one; the number of days forgotten."""
        with self._locked():
            before = self._level() or self._new()
            after = before.stepped(day, _next) if day > before.day else before
            for place in self._places:
                if after != before:
                    replace(place, after)
            self._take(after)
        return after.day - before.day

    def _secret(self, day: int) -> bytes:
        """From the nearest known day before it."""
        start = max(d for d in self._secrets if d <= day)
        secret = self._secrets[start]
        for at in range(start + 1, day + 1):
            secret = self._secrets[at] = _next(secret)
        return secret

    def _take(self, found: DayFile) -> None:
        if found != self._now:
            self._now = found
            self._secrets, self._days = {found.day: found.key}, {}
        self._seen = self._stamp()

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._places[0])
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time reads both places or changes them."""
        for place in self._places:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _level(self) -> DayFile | None:
        """What both places hold, after one that is behind, damaged or lost was put right."""
        for place in self._places:
            wipe_leftovers(place)
        found = {place: _read(place) for place in self._places}
        there = [file for file in found.values() if file is not None]
        if not there:
            return None
        latest = max(there, key=lambda file: file.day)
        if any(file.stepped(latest.day, _next) != latest for file in there):
            raise KeysDiffer(
                f"{' and '.join(map(str, self._places))} hold day keys of different ratchets: "
                "remove the one that is not of this installation"
            )
        for place, file in found.items():
            if file != latest:
                log.warning("day keys brought to the later day", extra={"place": str(place)})
                replace(place, latest)
        return latest

    def _new(self) -> DayFile:
        """A ratchet from nothing; its first day is the oldest whose events are still kept."""
        made = DayFile(max(0, self._today() - KEPT_DAYS + 1), secrets.token_bytes(32))
        for place in self._places:
            replace(place, made)
        return made


def _next(secret: bytes) -> bytes:
    return hkdf(secret, STEP)


def _read(place: Path) -> DayFile | None:
    try:
        return read(place)
    except DayFileDamaged as error:
        log.error("day keys damaged", extra={"place": str(place), "cause": str(error)})
        return None
