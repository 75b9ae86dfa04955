"""The keys of legal holds: a file for each case in two places, gone when the case is over.

They stand beside the day keys, outside every database and backup, and are none of theirs: nothing
follows from one to the other.
"""

import logging
import os
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.audit.dayfile import DayFile, DayFileDamaged, destroy, read, replace
from services.audit.detail import Opened, held, of_held

log = logging.getLogger(__name__)
FOLDER = "audit-holds"
NONCE_BYTES = 12
_AAD = b"troth/audit/hold/v1"


class CaseKey:
    """Seals the entries of one case."""

    def __init__(self, hold: str, secret: bytes) -> None:
        self._hold, self._cipher = hold.encode(), AESGCM(secret)

    def seal(self, trail: UUID, seq: int, opened: Opened) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, held(opened), self._bound(trail, seq))

    def open(self, trail: UUID, seq: int, sealed: bytes) -> Opened | None:
        """None for what was changed, moved, or sealed under another key."""
        nonce, body = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return of_held(self._cipher.decrypt(nonce, body, self._bound(trail, seq)))
        except InvalidTag:
            return None

    def _bound(self, trail: UUID, seq: int) -> bytes:
        return _AAD + self._hold + trail.bytes + seq.to_bytes(8, "big")


class HoldKeys:
    """`places` are those of the day keys."""

    def __init__(self, places: Sequence[Path]) -> None:
        self._folders = [place.with_name(FOLDER) for place in places]

    def make(self, hold: str, expires_at: datetime) -> CaseKey:
        """The key of this case; a new one where there is none. Called by who leads, alone."""
        found = self.of(hold)
        if found is not None:
            return found
        made = DayFile(int(expires_at.timestamp()) // 86_400, secrets.token_bytes(32))
        for place in self._places(hold):
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace(place, made)
        return CaseKey(hold, made.key)

    def of(self, hold: str) -> CaseKey | None:
        """None when it is destroyed. A place that was lost or damaged is made again."""
        files = {place: _read(place) for place in self._places(hold)}
        there = next((file for file in files.values() if file is not None), None)
        if there is None:
            return None
        for place, file in files.items():
            if file is None:
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                replace(place, there)
        return CaseKey(hold, there.key)

    def destroy(self, hold: str) -> None:
        for place in self._places(hold):
            destroy(place)

    def _places(self, hold: str) -> list[Path]:
        return [folder / hold for folder in self._folders]


def _read(place: Path) -> DayFile | None:
    try:
        return read(place)
    except DayFileDamaged as error:
        log.error("a case's key is damaged", extra={"place": str(place), "cause": str(error)})
        return None
