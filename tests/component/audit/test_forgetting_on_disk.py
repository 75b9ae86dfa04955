"""What is on the disk when a day is forgotten opens nothing of it; the day before it did.

Two looks: every window of the key files, tried as a key of each earlier day of the ratchet; and all
files there are, searched for every key that opens the ciphertext, in the forms a key is written in.
"""

import base64
import contextlib
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pytest
from tests_support.disk import read

from services.audit.daykeys import STEP, DayKey, DayKeys, hkdf
from services.audit.detail import opens

from .conftest import Past

KEY_BYTES = 32
STEPS_MAX = 8


class Kept(NamedTuple):
    """A ciphertext of the day, kept by somebody."""

    day: int
    trail: UUID
    seq: int
    sealed: bytes


def texts_of(raw: bytes) -> Iterator[bytes]:
    """The bytes themselves, and what they hold in base 64 or in hexadecimal digits."""
    yield raw
    for found in re.finditer(rb"[A-Za-z0-9+/_-]{40,}={0,2}", raw):
        for start in range(4):
            part = found[0][start:].rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
            yield base64.b64decode(part[: len(part) // 4 * 4] + b"====", validate=False)
            yield base64.b64decode(part + b"=" * (-len(part) % 4)) if len(part) % 4 != 1 else b""
    for found in re.finditer(rb"[0-9a-fA-F]{64,}", raw):
        yield bytes.fromhex(found[0][: len(found[0]) // 2 * 2].decode())


def windows(raw: bytes) -> set[bytes]:
    return {
        text[at : at + KEY_BYTES]
        for text in texts_of(raw)
        for at in range(len(text) - KEY_BYTES + 1)
    }


def opened_by(files: Sequence[Path], kept: Kept) -> list[Path]:
    """Files with 32 bytes in a row that open it: as the key of its day, or of a day before."""
    return [
        file for file in files if any(_opens(candidate, kept) for candidate in windows(read(file)))
    ]


def _opens(candidate: bytes, kept: Kept) -> bool:
    secret = candidate
    for _ in range(STEPS_MAX):
        if opens(kept.sealed, DayKey.of(kept.day, secret), kept.trail, kept.seq):
            return True
        secret = hkdf(secret, STEP)
    return False


def forms_of(secrets: Sequence[bytes]) -> re.Pattern[bytes]:
    """Raw, in hexadecimal digits, and in base 64 wherever in a group of three it begins."""
    forms: set[bytes] = set()
    for secret in secrets:
        forms |= {secret, secret.hex().encode(), secret.hex().upper().encode()}
        for lead in range(3):
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                encoded = encode(bytes(lead) + secret).rstrip(b"=")
                # Without the characters that the bytes before and behind have a part in.
                forms.add(encoded[(lead * 8 + 5) // 6 : -1])
    return re.compile(b"|".join(map(re.escape, sorted(forms))))


def holding(files: Sequence[Path], wanted: re.Pattern[bytes]) -> list[str]:
    return [file.name for file in files if wanted.search(read(file))]


def files_in(*folders: Path) -> list[Path]:
    return [file for folder in folders for file in sorted(folder.rglob("*")) if file.is_file()]


def keys_that_open(kept: Kept, first: int, secret: bytes) -> list[bytes]:
    """Of every day up to this one, with what is derived from each."""
    found: list[bytes] = []
    for day in range(first, kept.day + 1):
        found.append(secret)
        if day == kept.day:
            found.append(hkdf(secret, b"seal|" + kept.trail.bytes))
        secret = hkdf(secret, STEP)
    return found


def data_of(past: Past) -> Path:
    data = Path(past.rows("show data_directory")[0][0])
    if not data.is_dir():
        pytest.fail("this test looks at the server's own files: it needs one on this machine")
    return data


def copied(data: Path, to: Path) -> Path:
    """What a copy of a running server has; files that go meanwhile are not in it."""
    with contextlib.suppress(shutil.Error):
        shutil.copytree(data, to)
    return to


async def test_nothing_on_the_disk_opens_a_ciphertext_of_a_forgotten_day(
    past: Past, tmp_path: Path
) -> None:
    await past.on(past.first, 5, actor="per_marker")
    await past.begin()
    kept = Kept(*past.rows(
        "select day, trail, seq, sealed from audit_detail where day = %s limit 1", past.first
    )[0])  # fmt: skip
    keys: DayKeys = past.parts.keys
    secrets = keys_that_open(kept, keys.oldest, keys._secrets[keys.oldest])
    data = data_of(past)
    folders = [place.parent for place in past.places]
    past.order("checkpoint")
    before = copied(data, tmp_path / "base")  # the day before

    wanted = forms_of(secrets)
    assert len(opened_by(files_in(*folders), kept)) == 2, "the day before, both places open it"
    assert holding(files_in(*folders), wanted) == [place.name for place in past.places]

    assert await past.forget() == 1
    past.order("checkpoint")

    there = files_in(*folders, folders[0].parent / "signing")
    assert len(there) >= 3
    assert opened_by(there, kept) == []
    everything = [*there, *files_in(data, before)]
    assert any(kept.sealed in read(file) for file in files_in(data, before)), (
        "the ciphertext itself is kept in the copy and in the write-ahead log"
    )
    assert holding(everything, wanted) == []
