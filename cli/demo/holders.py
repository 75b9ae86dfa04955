"""Who holds the execution: the executor's table of leases, and the logs of its processes."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

RESUMED = "execution resumed"


class Leases:
    """Looks at `timers`, where each unfinished execution names the process that holds it."""

    def __init__(self, connection: psycopg.Connection[Any], organization: str) -> None:
        connection.autocommit = True
        self._connection, self._organization = connection, organization
        self._there_before = {execution for execution, _ in self._rows()}
        self.execution: str | None = None
        self.holder: int | None = None

    def look(self) -> int | None:
        """The pid that held the execution last; a waiting one is held by nobody."""
        for execution, owner in self._rows():
            if execution not in self._there_before:
                self.execution = execution
                if owner is not None:
                    self.holder = int(owner.rpartition(":")[2])
        return self.holder

    def _rows(self) -> list[tuple[str, str | None]]:
        return self._connection.execute(
            "select execution, owner from timers where org = %s", (self._organization,)
        ).fetchall()


@dataclass(frozen=True)
class Resumed:
    """Which process went on, and when it said so."""

    process: str
    pid: int
    at: datetime


class Log:
    """The structured log of one process, from where it stood."""

    def __init__(self, process: str, file: Path) -> None:
        self.process, self._file = process, file
        self._from = file.stat().st_size

    def resumed(self, execution: str) -> Resumed | None:
        """The line that says that this process took the execution up."""
        with self._file.open("rb") as file:
            file.seek(self._from)
            for line in file.read().splitlines(keepends=True):
                whole = line.endswith(b"\n")
                if whole and RESUMED.encode() in line and execution.encode() in line:
                    said = json.loads(line)
                    return Resumed(self.process, said["pid"], _moment(said["at"]))
        return None


def _moment(text: str) -> datetime:
    """`2025-01-31 13:45:00,123` in the time of this machine."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S,%f").astimezone(UTC)
