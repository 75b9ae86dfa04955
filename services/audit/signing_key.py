"""The key that signs checkpoints and digests: a file of its own, made once, for its owner only."""

import contextlib
import os
import secrets
from pathlib import Path

from libs.embedded.durability import sync_folder
from libs.trail.notes import BadNote, Signer, b64, unb64

SEED_BYTES = 32


class SigningKeyRefused(RuntimeError):
    """The file cannot be used; the text says why and what to do."""


def open_key(place: Path, name: str) -> Signer:
    """The signer of this installation; a key is made where there is none."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not place.exists():
        with contextlib.suppress(FileExistsError):  # another process was first
            _make(place)
    return Signer.of_seed(name, _read(place))


def _make(place: Path) -> None:
    """Whole or not at all, and only by one of several processes that begin at once."""
    draft = place.with_name(f".{place.name}-{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "w") as file:
            file.write(b64(secrets.token_bytes(SEED_BYTES)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, place)
    finally:
        draft.unlink()
    sync_folder(place.parent)


def _read(place: Path) -> bytes:
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(descriptor) as file:
        status = os.fstat(descriptor)
        if status.st_mode & 0o077:
            raise SigningKeyRefused(
                f"{place} can be read by others (mode {status.st_mode & 0o777:04o}): whoever has"
                " it can sign in your name; make a new key, and publish it"
            )
        text = file.read()
    try:
        return unb64(text.strip(), SEED_BYTES)
    except BadNote as error:
        raise SigningKeyRefused(f"{place} holds no key ({error}): restore it") from None
