"""What the code expects of the databases: when that is unchanged, a start need not look."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.permissions import ReaderOf
from libs.embedded.children import CannotStart
from libs.embedded.durability import write_private

ROOT = Path(__file__).parents[1]
FILE = "expected.json"
TIMEOUT_S = 300


@dataclass(frozen=True)
class Expected:
    """The readers of each service, and whether the databases were touched just now."""

    readers: Mapping[str, list[ReaderOf]]
    migrated: bool


def fingerprint(*also: str) -> str:
    """Changes whenever a file changes from which tables, rights or readers follow."""
    digest = hashlib.sha256("\0".join(also).encode())
    for file in _files():
        digest.update(f"\0{file.relative_to(ROOT)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _files() -> Iterator[Path]:
    for folder in (ROOT / "services", ROOT / "libs" / "common"):
        for file in sorted(folder.rglob("*")):
            if file.suffix in (".py", ".sql"):
                yield file


def bring_up_to_date(
    folder: Path, environment: Mapping[str, str], digest: str, *, again: bool
) -> Expected:
    """Migrates in a process of its own unless `digest` was reached before; `again` insists."""
    file = folder / FILE
    known = json.loads(file.read_text()) if file.exists() else {}
    if known.get("digest") == digest and not again:
        return Expected(_readers(known), migrated=False)
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "migrate", "--json"],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    if done.returncode != 0:
        raise CannotStart(f"the databases could not be prepared:\n{done.stderr.strip()[-2000:]}")
    found = json.loads(done.stdout)
    write_private(file, json.dumps(found | {"digest": digest}, indent=1, sort_keys=True))
    return Expected(_readers(found), migrated=True)


def known_readers(folder: Path) -> Mapping[str, list[ReaderOf]]:
    """The readers that the databases in the folder were prepared for; empty before that."""
    file = folder / FILE
    return _readers(json.loads(file.read_text())) if file.exists() else {}


def known_digest(folder: Path) -> str | None:
    """What the databases in the folder were prepared for."""
    file = folder / FILE
    return json.loads(file.read_text())["digest"] if file.exists() else None


def _readers(found: Mapping[str, Mapping[str, list[list[str]]]]) -> dict[str, list[ReaderOf]]:
    return {
        service: [(name, producer) for name, producer in pairs]
        for service, pairs in found["readers"].items()
    }
