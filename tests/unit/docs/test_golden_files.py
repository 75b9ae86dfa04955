"""Every event ever released can be read: golden files, upcasts, and what is said of a change."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from libs.common import messages
from libs.common.fields import Count, Moment, SealedText, Word
from libs.common.messages import Event, Recorded
from tools import golden, inventory

FILES = sorted(golden.FOLDER.glob("*.json"))
NAME = re.compile(r"(?P<type>[a-z]+\.event\.[a-z0-9-]+)\.v(?P<version>[1-9][0-9]*)\.json")


@pytest.fixture(scope="module")
def kinds() -> list[type[Event]]:
    return inventory.events()


def recorded(kept: dict[str, object]) -> Recorded:
    return Recorded(
        id="00000000-0000-7000-8000-000000000000", source="/services/somebody",
        type=str(kept["type"]), subject="thing-org_1-x", time=datetime(2026, 1, 2, tzinfo=UTC),
        organization="org_1", streamversion=1, sequence=1, actor="system:test",
        data=msgspec.Raw(json.dumps(kept["data"]).encode()), dataversion=int(str(kept["version"])),
    )  # fmt: skip


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_was_once_recorded_is_read_by_the_code_of_today(file: Path, kinds: list[type[Event]]):
    kept = json.loads(file.read_text())
    newest = next(kind for kind in kinds if kind.type == kept["type"])

    event = recorded(kept).event()

    assert isinstance(event, newest)
    if kept["version"] == newest.version:
        assert event.model_dump(mode="json") == kept["data"]


def test_no_released_event_was_changed_and_every_event_has_its_golden_file(
    kinds: list[type[Event]],
):
    assert golden.problems(kinds) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_golden_file_is_called_as_what_it_holds(file: Path, kinds: list[type[Event]]):
    kept, name = json.loads(file.read_text()), NAME.fullmatch(file.name)

    assert name is not None
    assert (name["type"], int(name["version"])) == (kept["type"], kept["version"])
    assert kept["type"] in {kind.type for kind in kinds}


@pytest.fixture
def own_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that a test makes are gone with it."""
    monkeypatch.setattr(messages, "EVENTS", dict(messages.EVENTS))
    monkeypatch.setattr(messages, "_UPCASTS", dict(messages._UPCASTS))


@pytest.mark.usefixtures("own_events")
def test_a_new_event_without_a_golden_file_is_refused(tmp_path: Path):
    class PipeLaid(Event, type="pipes.event.pipe-laid"):
        length: Count

    assert golden.problems([PipeLaid], tmp_path) == [
        "pipes.event.pipe-laid version 1 has no golden file: make golden"
    ]

    assert [path.name for path in golden.write_missing([PipeLaid], tmp_path)] == [
        "pipes.event.pipe-laid.v1.json"
    ]
    assert golden.problems([PipeLaid], tmp_path) == []


@pytest.mark.usefixtures("own_events")
@pytest.mark.parametrize("field", [Word, SealedText, Count | None])
def test_a_changed_field_of_a_released_version_is_refused(field: object, tmp_path: Path):
    class PipeLaid(Event, type="pipes.event.pipe-laid"):
        note: Count

    golden.write_missing([PipeLaid], tmp_path)

    annotated = {"__annotations__": {"note": field}, "__module__": __name__}
    changed = type("PipeLaid", (Event,), annotated, type=PipeLaid.type)

    (said,) = golden.problems([changed], tmp_path)
    assert "pipes.event.pipe-laid version 1 was changed" in said
    assert "raise `version=` and add an @upcast" in said


@pytest.mark.usefixtures("own_events")
def test_a_field_that_is_no_longer_sealed_is_a_change(tmp_path: Path):
    """`SealedText` and a word look the same on the wire; what they promise does not."""

    class PipeNamed(Event, type="pipes.event.pipe-named"):
        note: SealedText

    golden.write_missing([PipeNamed], tmp_path)
    kept = json.loads(golden.path_of(PipeNamed, tmp_path).read_text())
    kept["classes"]["note"] = "none"
    golden.path_of(PipeNamed, tmp_path).write_text(json.dumps(kept))

    (said,) = golden.problems([PipeNamed], tmp_path)
    assert "(classes)" in said


@pytest.mark.usefixtures("own_events")
def test_a_version_with_an_upcast_leaves_the_old_golden_file_readable(tmp_path: Path):
    class PipeLaid(Event, type="pipes.event.pipe-laid"):
        length: Count

    golden.write_missing([PipeLaid], tmp_path)
    first = json.loads(golden.path_of(PipeLaid, tmp_path).read_text())

    class Newer(Event, type="pipes.event.pipe-laid", version=2):
        length: Count
        at: Moment

    @messages.upcast("pipes.event.pipe-laid", version=1)
    def laid_before_we_noted_when(data: dict[str, object]) -> dict[str, object]:
        return data | {"at": "2026-01-02T00:00:00.000Z"}

    assert [path.name for path in golden.write_missing([Newer], tmp_path)] == [
        "pipes.event.pipe-laid.v2.json"
    ]
    assert Newer.model_validate(recorded(first).json()).length == first["data"]["length"]


@pytest.mark.usefixtures("own_events")
def test_rewording_a_docstring_changes_no_event(tmp_path: Path):
    class PipeLaid(Event, type="pipes.event.pipe-laid"):
        """A pipe lies."""

        length: Count

    golden.write_missing([PipeLaid], tmp_path)
    PipeLaid.__doc__ = "A pipe was laid."

    assert golden.problems([PipeLaid], tmp_path) == []
