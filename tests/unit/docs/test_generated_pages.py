"""The generated pages are what the code says, and `--check` names the one that is not."""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.docs import __main__ as docs
from tools.inventory import ROOT, asks, events, service_names


@pytest.fixture(scope="module", autouse=True)
def _made_once() -> Iterator[None]:
    """What the code says does not change meanwhile; each file is compared with it many times."""
    once = {name: functools.cache(make) for name, make in docs.PAGES.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(docs, "PAGES", once)
        yield


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    assert docs.main([], folder) == 0
    return folder


def test_the_pages_in_the_repository_are_fresh():
    assert docs.stale(ROOT / "docs") == [], "run `make docs`"


@pytest.mark.parametrize("name", docs.PAGES)
def test_a_stale_page_is_named_with_what_to_do(
    name: str, written: Path, capsys: pytest.CaptureFixture[str]
):
    page = written / name
    before = page.read_bytes()
    page.write_bytes(before + b"x")

    assert docs.main(["--check"], written) == 1

    said = capsys.readouterr().err
    assert said == f"docs/{name} is not what the code says: run `make docs`\n"
    page.write_bytes(before)
    assert docs.main(["--check"], written) == 0


def test_a_missing_page_is_stale(written: Path):
    (written / "events.md").rename(written / "elsewhere")

    assert docs.stale(written) == ["events.md"]

    (written / "elsewhere").rename(written / "events.md")


def test_an_unknown_argument_is_refused(capsys: pytest.CaptureFixture[str]):
    assert docs.main(["--chekc"]) == 2
    assert "usage" in capsys.readouterr().err


STALE_IN = "import sys; from pathlib import Path; from tools.docs.__main__ import stale; "


def test_pages_do_not_depend_on_the_order_of_sets(written: Path):
    check = [sys.executable, "-c", STALE_IN + "print(stale(Path(sys.argv[1])))", str(written)]
    environment = os.environ | {"PYTHONHASHSEED": "7"}

    done = subprocess.run(check, cwd=ROOT, env=environment, capture_output=True, text=True,
                          timeout=100)  # fmt: skip

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_catalogue_has_every_event_and_marks_what_is_sealed(written: Path):
    text = (written / "events.md").read_text()

    assert [kind.type for kind in events() if f"### `{kind.type}`, version" not in text] == []
    assert "| `email` | text | direct, **sealed** | e-mail address |" in text


def test_the_bus_document_has_every_command_and_query_and_one_channel_of_events_per_log(
    written: Path,
):
    document = json.loads((written / "asyncapi.json").read_text())
    channels = document["channels"]

    assert document["asyncapi"] == "3.0.0"
    assert [ask.type for ask in asks() if ask.type not in channels] == []
    assert channels["executor.events"]["address"] == "executor.event.batch.0"
    logs = {name.partition(".")[0] for name in channels if name.endswith(".events")}
    assert logs == set(service_names()) - {"gateway"}
    assert _broken_references(document, document) == []


def test_the_rest_document_has_paths_and_no_broken_reference(written: Path):
    document = json.loads((written / "openapi.json").read_text())

    assert document["openapi"].startswith("3.1")
    assert "/v1/people" in document["paths"]
    assert _broken_references(document, document) == []


def _broken_references(part: object, whole: dict[str, object]) -> list[str]:
    if isinstance(part, list):
        return [broken for item in part for broken in _broken_references(item, whole)]
    if not isinstance(part, dict):
        return []
    found = [broken for item in part.values() for broken in _broken_references(item, whole)]
    reference = part.get("$ref")
    if isinstance(reference, str) and not _leads_somewhere(reference, whole):
        found.append(reference)
    return found


def _leads_somewhere(reference: str, whole: object) -> bool:
    for step in reference.removeprefix("#/").split("/"):
        if not isinstance(whole, dict) or step not in whole:
            return False
        whole = whole[step]
    return True
