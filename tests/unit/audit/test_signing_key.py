"""The signing key: made once, for its owner only, and never silently another one."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.audit.signing_key import SigningKeyRefused, open_key

NAME = "troth/audit"


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    place = tmp_path / "keys" / "signing"
    first = open_key(place, NAME)
    assert open_key(place, NAME).verifier == first.verifier
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert [file.name for file in place.parent.iterdir()] == ["signing"]


def test_processes_that_begin_at_once_have_one_key(tmp_path: Path) -> None:
    place = tmp_path / "signing"
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: open_key(place, NAME).verifier, range(16)))
    assert len(set(map(str, found))) == 1


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "signing"
    open_key(place, NAME)
    place.chmod(0o644)
    with pytest.raises(SigningKeyRefused, match="read by others"):
        open_key(place, NAME)


@pytest.mark.parametrize("text", ["", "no key", "YWJj\n"])
def test_a_damaged_key_is_refused_and_left_as_it_is(tmp_path: Path, text: str) -> None:
    place = tmp_path / "signing"
    place.touch(0o600)
    place.write_text(text)
    with pytest.raises(SigningKeyRefused, match="holds no key"):
        open_key(place, NAME)
    assert place.read_text() == text
