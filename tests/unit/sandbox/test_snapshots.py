"""Stored snapshots: a changed or foreign one never reaches Monty."""

import pytest

from libs.sandbox import SnapshotRefused, seal, snapshots, unseal

KEY, OTHER = b"k" * 32, b"o" * 32
SNAPSHOT = b"MONTY\x00 some state"
HERE = "exe_1:sum.1"


def refused(stored: bytes, key: bytes = KEY, context: str = HERE) -> str:
    with pytest.raises(SnapshotRefused) as caught:
        unseal(stored, key, context)
    return caught.value.code


def test_a_sealed_snapshot_opens_in_its_place_with_its_key():
    assert unseal(seal(SNAPSHOT, KEY, HERE), KEY, HERE) == SNAPSHOT


def test_each_changed_byte_is_noticed():
    stored = seal(SNAPSHOT, KEY, HERE)

    for at in range(len(stored)):
        changed = stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1 :]
        assert refused(changed) == "snapshot-changed"


@pytest.mark.parametrize("stored", [b"", b"MSS1", SNAPSHOT, b"MSS1" + b"\0" * 32, b"x" * 500])
def test_what_was_never_sealed_is_refused(stored: bytes):
    assert refused(stored) == "snapshot-changed"


def test_a_cut_one_and_a_longer_one_are_refused():
    stored = seal(SNAPSHOT, KEY, HERE)

    assert refused(stored[:-1]) == refused(stored + b"\0") == "snapshot-changed"


def test_one_of_another_key_or_another_step_is_refused():
    stored = seal(SNAPSHOT, KEY, HERE)

    assert refused(stored, key=OTHER) == "snapshot-changed"
    assert refused(stored, context="exe_1:sum.2") == "snapshot-changed"
    assert refused(stored, context="exe_2:sum.1") == "snapshot-changed"


def test_one_of_another_version_of_monty_is_refused_by_that_name(
    monkeypatch: pytest.MonkeyPatch,
):
    with monkeypatch.context() as then:
        then.setattr(snapshots, "monty_version", lambda: "0.9.0")
        stored = seal(SNAPSHOT, KEY, HERE)

    assert refused(stored) == "snapshot-version"
    assert unseal(seal(SNAPSHOT, KEY, HERE), KEY, HERE) == SNAPSHOT
