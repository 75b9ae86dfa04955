"""What the signer signed last of each trail: remembered outside the database, in a file of lines.

A line is `<trail> <size> <root>`, `<trail> refused <reason> <size> <signed>` or `<trail> resumed`;
the largest size of a trail counts, and the last of the others. It is on disk before the checkpoint
is anywhere else.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from libs.embedded.durability import write_private
from libs.trail.notes import b64, unb64
from libs.trail.tree import HASH_BYTES

LINES_MIN = 10_000


class Seen(NamedTuple):
    size: int
    root: bytes


class Refusal(NamedTuple):
    """Why nothing is signed for a trail any more; its size then, and what was signed last."""

    reason: str
    size: int
    signed: int


@dataclass
class _Of:
    seen: Seen | None = None
    refused: Refusal | None = None


class Memory:
    """Any number of processes may look; whoever signs holds the lease of the service."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._known: dict[str, _Of] = {}
        self._read_to = 0

    def refresh(self) -> None:
        """Reads what was written since, by whomever."""
        with self._open() as descriptor:
            size = os.fstat(descriptor).st_size
            if size < self._read_to:
                self._known, self._read_to = {}, 0
            text = os.pread(descriptor, size - self._read_to, self._read_to)
            whole = text[: text.rfind(b"\n") + 1]  # a line that a crash cut was not acted upon
            if whole != text:
                os.ftruncate(descriptor, self._read_to + len(whole))
            lines = whole.decode().splitlines()
            for line in lines:
                self._take(*line.split(" ", 2))
            self._read_to += len(whole)
        if len(lines) > LINES_MIN + 2 * len(self._known):
            self._shorten()

    def last(self, trail: str) -> Seen | None:
        return self._known.get(trail, _Of()).seen

    def refused(self, trail: str) -> Refusal | None:
        return self._known.get(trail, _Of()).refused

    @property
    def refusals(self) -> dict[str, Refusal]:
        return {name: of.refused for name, of in self._known.items() if of.refused is not None}

    @property
    def trails(self) -> list[str]:
        return list(self._known)

    def remember(self, trail: str, seen: Seen) -> None:
        self._write([f"{trail} {seen.size} {b64(seen.root)}"])

    def refuse(self, trail: str, refusal: Refusal) -> None:
        self._write([_refused(trail, refusal)])

    def resume(self, trail: str) -> None:
        self._write([f"{trail} resumed"])

    def _take(self, trail: str, what: str, rest: str = "") -> None:
        of = self._known.setdefault(trail, _Of())
        if what == "refused":
            reason, size, signed = rest.split(" ")
            of.refused = Refusal(reason, int(size), int(signed))
        elif what == "resumed":
            of.refused = None
        else:
            seen = Seen(int(what), unb64(rest, HASH_BYTES))
            if of.seen is None or seen.size >= of.seen.size:
                of.seen = seen

    def _write(self, lines: list[str]) -> None:
        text = "".join(f"{line}\n" for line in lines).encode()
        with self._open() as descriptor:
            os.lseek(descriptor, 0, os.SEEK_END)
            os.write(descriptor, text)
            os.fsync(descriptor)
        self.refresh()

    def _shorten(self) -> None:
        text = "".join(f"{line}\n" for line in self._lines())
        write_private(self._place, text)
        self._read_to = len(text.encode())

    def _lines(self) -> Iterable[str]:
        for trail, of in self._known.items():
            if of.seen is not None:
                yield f"{trail} {of.seen.size} {b64(of.seen.root)}"
            if of.refused is not None:
                yield _refused(trail, of.refused)

    @contextmanager
    def _open(self) -> Iterator[int]:
        self._place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)


def _refused(trail: str, refusal: Refusal) -> str:
    return f"{trail} refused {refusal.reason} {refusal.size} {refusal.signed}"
