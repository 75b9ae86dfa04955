"""The file of a day key: one line that shows its own damage, replaced whole and wiped before."""

import os
import secrets
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec

FORMAT = 1


class DayFileDamaged(RuntimeError):
    """The file is not one that we wrote, or not all of it."""


class _Line(msgspec.Struct):
    format: int
    day: int
    key: bytes
    check: bytes


class DayFile(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """The oldest kept day and its key."""

    day: int
    key: bytes

    def __repr__(self) -> str:
        return f"DayFile({self.day}, …)"

    def stepped(self, day: int, step: Callable[[bytes], bytes]) -> "DayFile":
        """The same ratchet at a later day."""
        key = self.key
        for _ in range(day - self.day):
            key = step(key)
        return DayFile(day, key)


def _check(day: int, key: bytes) -> bytes:
    return sha256(b"troth/audit/day-file/v1" + day.to_bytes(8, "big") + key).digest()


def read(place: Path) -> DayFile | None:
    """None when there is none; DayFileDamaged for what is not whole."""
    try:
        raw = place.read_bytes()
    except FileNotFoundError:
        return None
    try:
        line = msgspec.json.decode(raw, type=_Line)
        whole = line.format == FORMAT and line.day >= 0 and len(line.key) == 32
        if not whole or line.check != _check(line.day, line.key):
            raise ValueError("its content does not fit its check")
    except (ValueError, msgspec.DecodeError) as error:
        raise DayFileDamaged(str(error)) from None
    return DayFile(line.day, line.key)


def replace(place: Path, file: DayFile) -> None:
    """The old file or the new one, never a part, also in a power cut; then wipes the old bytes.

    What a disk keeps of overwritten blocks is beyond us; the file itself holds no earlier key.
    """
    line = _Line(FORMAT, file.day, file.key, _check(file.day, file.key))
    old = os.open(place, os.O_RDWR | os.O_CLOEXEC) if place.exists() else None
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{place.name}-", dir=place.parent)
        try:
            with open(descriptor, "wb") as out:
                out.write(msgspec.json.encode(line) + b"\n")
                out.flush()
                os.fsync(out.fileno())
            os.replace(name, place)
        except BaseException:
            os.unlink(name)
            raise
        _sync_folder(place.parent)
        if old is not None:
            _wipe(old)
    finally:
        if old is not None:
            os.close(old)


def wipe_leftovers(place: Path) -> None:
    """What a crash left half written: it may hold a key that is to be forgotten one day."""
    for left in place.parent.glob(f".{place.name}-*"):
        descriptor = os.open(left, os.O_RDWR | os.O_CLOEXEC)
        try:
            _wipe(descriptor)
        finally:
            os.close(descriptor)
        left.unlink()


def destroy(place: Path) -> None:
    """Overwritten and gone; no complaint when there is none."""
    wipe_leftovers(place)
    if place.exists():
        descriptor = os.open(place, os.O_RDWR | os.O_CLOEXEC)
        try:
            _wipe(descriptor)
        finally:
            os.close(descriptor)
        place.unlink()
        _sync_folder(place.parent)


def _wipe(descriptor: int) -> None:
    os.pwrite(descriptor, secrets.token_bytes(os.fstat(descriptor).st_size), 0)
    os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
