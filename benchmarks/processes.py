"""What the processes of the stack use, by /proc: processor time and memory, with children."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def parents() -> dict[int, int]:
    """Parent by process, of everything that runs now."""
    found: dict[int, int] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields is not None:
                found[int(entry.name)] = int(fields[1])
    return found


def tree(root: int, parent_of: Mapping[int, int]) -> set[int]:
    """A process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for pid, parent in parent_of.items():
        children.setdefault(parent, []).append(pid)
    found, left = set[int](), [root]
    while left:
        pid = left.pop()
        found.add(pid)
        left += children.get(pid, [])
    return found


def grouped(launcher: int, roots: Mapping[str, int]) -> dict[str, set[int]]:
    """All processes of the stack by part; what no part owns belongs to the launcher."""
    now = parents()
    groups = {name: tree(pid, now) for name, pid in roots.items()}
    owned = set[int]().union(*groups.values())
    return groups | {"launcher": tree(launcher, now) - owned}


def cpu_s(pids: Iterable[int]) -> float:
    """User and system time of processes, and of their children that ended."""
    total = 0
    for pid in pids:
        fields = _stat(pid)
        if fields is not None:
            total += sum(int(ticks) for ticks in fields[11:15])
    return total / TICKS_PER_S


def pss_mb(pids: Iterable[int]) -> float:
    """Proportional memory: pages that processes share count once over all of them."""
    return sum(_pss_kb(pid) for pid in pids) * 1024 / 1_000_000


def _pss_kb(pid: int) -> int:
    try:
        text = (PROC / str(pid) / "smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


def _stat(pid: int) -> list[str] | None:
    """The fields after the name, beginning with the state; None when the process is gone."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()
