"""Commands of ours as a user starts them, and whatever they leave behind."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests_support.started import Start, starting


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    with starting(tmp_path_factory.mktemp("said")) as go:
        yield go


def processes_of(data: Path) -> list[str]:
    """Processes that have the data folder in their command line or environment."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            about = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue  # it ended meanwhile, or is somebody else's
        if str(data).encode() in about:
            found.append(about.partition(b"\0\0")[0].decode(errors="replace"))
    return found
