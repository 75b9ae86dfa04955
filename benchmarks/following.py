"""How far the executor's log has come, and how far audit has: cheap looks beside the load."""

import time
from types import TracebackType
from typing import Any, LiteralString, Self

import psycopg

from benchmarks.stack import Failed, Stack

FINISHED = "executor.event.execution-finished"
LOOK_S = 0.03


class Following:
    """Counts the executions that ended since it began; reads only what is new."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._log = stack.connect("executor")
        self._trail = stack.connect("audit")
        self.n = self._one(self._log, "select n from heads")
        self.finished = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._log.close()
        self._trail.close()

    def transactions(self) -> int:
        """Transactions that the executor's database has ended, by whatever asked for them.

        Single statements are one each, so on the hot path it counts round trips. The server notes
        them with a second's delay at most; these looks are among them.
        """
        return self._one(
            self._log,
            "select xact_commit + xact_rollback from pg_stat_database"
            " where datname = current_database()",
        )

    def look(self) -> None:
        row = self._log.execute(
            "select coalesce(max(n), %s), count(*) filter (where type = %s) from log"
            " where partition = 0 and n > %s",
            (self.n, FINISHED, self.n),
        ).fetchone()
        assert row is not None, "an aggregate has a row"
        self.n, self.finished = row[0], self.finished + row[1]

    def wait_finished(self, count: int, within_s: float) -> float:
        """The moment when so many had been committed as finished."""
        deadline = time.monotonic() + within_s
        while True:
            self.look()
            if self.finished >= count:
                return time.monotonic()
            self._pause(deadline, f"{self.finished} of {count} executions ended")

    def wait_audited(self, within_s: float) -> float:
        """The moment when audit had entered all that was seen of the log."""
        deadline = time.monotonic() + within_s
        while True:
            entered = self._one(
                self._trail,
                "select coalesce(max(last), 0) from taken where producer = 'executor'",
            )
            if entered >= self.n:
                return time.monotonic()
            self._pause(deadline, f"audit has entered {entered} of {self.n} events")

    def _pause(self, deadline: float, so_far: str) -> None:
        self._stack.must_run()
        if time.monotonic() > deadline:
            raise Failed(f"{so_far}, and no more came in time")
        time.sleep(LOOK_S)

    @staticmethod
    def _one(connection: psycopg.Connection[Any], query: LiteralString) -> int:
        row = connection.execute(query).fetchone()
        assert row is not None, "a head and an aggregate have a row"
        return int(row[0])
