"""How large an installation is on disk: the locked distributions and our own code."""

import importlib.util
import re
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parents[1]
OURS = ("libs", "services", "cli", "tools", "deploy", "examples")
LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==[^;\s\\]+\s*(?:;\s*([^\\]+))?", re.MULTILINE)


def locked_names(lock: str) -> list[tuple[str, bool]]:
    """Names in a lock file, each with whether it is for some environments only."""
    return [(name, bool(marker)) for name, marker in LOCKED.findall(lock)]


def installed_mb(lock: Path) -> float:
    """All files of the distributions that a lock names, with what Python compiled of them."""
    files = set[Path]()
    for name, conditional in locked_names(lock.read_text()):
        try:
            found = distribution(name)
        except PackageNotFoundError:
            if conditional:
                continue
            raise
        files |= set(files_of(found))
    return megabytes(files)


def files_of(found: Distribution) -> Iterable[Path]:
    if found.files is None:
        raise ValueError(f"{found.name} does not say what its files are")
    for entry in found.files:
        path = Path(str(entry.locate())).resolve()
        yield path
        if path.suffix == ".py":
            yield Path(importlib.util.cache_from_source(str(path)))


def own_mb() -> float:
    """Our own code as it lies in the repository, with what Python compiled of it."""
    return megabytes(path for folder in OURS for path in (ROOT / folder).rglob("*"))


def megabytes(files: Iterable[Path]) -> float:
    return sum(path.stat().st_size for path in files if path.is_file()) / 1_000_000
