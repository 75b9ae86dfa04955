"""The sandbox as an event loop sees it: a stretch of code is a thread here, a process there."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from keyword import iskeyword
from threading import Lock
from typing import TYPE_CHECKING, Any

from libs.sandbox import fence
from libs.sandbox.errors import PythonFailed, WorkerLost
from libs.sandbox.outcomes import CODE_BYTES_MAX, Limits, Paused, Returned

if TYPE_CHECKING:  # Monty itself is imported when the first code runs
    from pydantic_monty import Monty, MontySession, OSPolicy, ResourceLimits

    from libs.sandbox.outcomes import Printed

PROCESSES_MAX = 2
USUAL = Limits()
SUSPENSIONS_MAX = 1000  # between two calls: names, modules and files that are asked for


class Sandbox:
    """One for each process of a service; starts at most two workers, the first when it is needed.

    A run holds a worker only while it computes, never while its call is under way. Who is
    cancelled takes the worker down with it. After `close()` the next run starts anew.
    """

    def __init__(self, processes_max: int = PROCESSES_MAX) -> None:
        self._processes_max = processes_max
        # Our threads and the blocking side of Monty: what its own threads do to a Python that is
        # ending (up to 3.13) aborts the process.
        self._threads = ThreadPoolExecutor(processes_max, "sandbox")
        self._pool: Monty | None = None
        self._lock = Lock()
        self._turns: set[_Turn] = set()

    @property
    def pids(self) -> list[int]:
        """The processes that are computing now."""
        return [turn.pid for turn in list(self._turns) if turn.pid is not None]

    async def begin(
        self,
        code: str,
        names: Mapping[str, Any],
        functions: tuple[str, ...] = (),
        limits: Limits = USUAL,
        *,
        clock: datetime | None = None,
        seed: str | None = None,
    ) -> Paused | Returned:
        """Runs the code until it calls one of the functions or returns.

        With `clock` and `seed` the time stands still and randomness is repeatable: the same code
        with the same names and answers then makes the same calls. Both hold after a pause, as the
        limits do. Raises PythonFailed, LimitReached, WorkerLost; ValueError for names that are no
        identifiers or also functions.
        """
        _check(names, functions)
        if (size := len(code.encode(errors="replace"))) > CODE_BYTES_MAX:
            message = f"code of {size} bytes; limit code_bytes {CODE_BYTES_MAX}"
            raise PythonFailed("SyntaxError", message, None)
        # Code that ends without `return` gives null, and not its last expression's value.
        whole, inputs = code + "\nreturn None", dict(names)

        def first(session: "MontySession", printed: "Printed") -> Any:
            return session.feed_start(whole, inputs=inputs, print_callback=printed)

        return await self._apart(first, functions, _limits(limits), _policy(clock, seed))

    async def go_on(
        self, snapshot: bytes, value: Any, functions: tuple[str, ...] = ()
    ) -> Paused | Returned:
        """Goes on from a snapshot: its call gives the JSON `value`, or fails for a CallFailed.

        The snapshot has to be ours: what was stored goes through `unseal` first. Raises as `begin`.
        """

        def first(session: "MontySession", printed: "Printed") -> Any:
            from libs.sandbox.driving import restored

            return restored(session, snapshot, value, printed)

        return await self._apart(first, functions)

    async def close(self) -> None:
        """Ends the processes; what is under way ends as WorkerLost."""
        for turn in list(self._turns):
            turn.cut()
        threads, self._threads = self._threads, ThreadPoolExecutor(self._processes_max, "sandbox")
        await asyncio.to_thread(threads.shutdown)
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.__exit__, None, None, None)

    async def _apart(
        self,
        first: Callable[["MontySession", "Printed"], Any],
        functions: tuple[str, ...],
        limits: "ResourceLimits | None" = None,
        policy: "OSPolicy | None" = None,
    ) -> Paused | Returned:
        turn = _Turn()
        self._turns.add(turn)

        def work() -> Paused | Returned:
            from libs.sandbox.driving import drive

            return drive(self._running(), first, functions, turn.holds, limits, policy)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            turn.cut()
            self._turns.discard(turn)

    def _running(self) -> "Monty":
        with self._lock:
            if self._pool is None:
                from libs.sandbox.driving import pool_of

                self._pool = pool_of(self._processes_max)
                self._pool.__enter__()
            return self._pool


class _Turn:
    """One stretch of a run; knows its worker while it has one, so that it can be ended."""

    def __init__(self) -> None:
        self.pid: int | None = None
        self._cut = False
        self._lock = Lock()

    @contextmanager
    def holds(self, pid: int | None) -> Iterator[None]:
        """Inside, the worker with this number is ours."""
        with self._lock:
            if self._cut:
                raise WorkerLost("the run was given up before it began")
            self.pid = pid
        try:
            if pid is not None:
                fence.put_round(pid)
            yield
        finally:
            with self._lock:
                self.pid = None

    def cut(self) -> None:
        """Ends the worker, if there is one, and keeps the run from getting one."""
        with self._lock:
            self._cut = True
            if self.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)


def _check(names: Mapping[str, Any], functions: tuple[str, ...]) -> None:
    for name in (*names, *functions):
        if not name.isidentifier() or iskeyword(name):
            raise ValueError(f"{name!r} can't be a name in code")
    if both := set(names) & set(functions):
        raise ValueError(f"names and functions at once: {', '.join(sorted(both))}")


def _limits(limits: Limits) -> "ResourceLimits":
    return {
        "max_feed_duration_secs": limits.time_s,
        "max_memory": limits.memory_bytes,
        "max_recursion_depth": limits.depth,
        "max_suspensions": SUSPENSIONS_MAX,
        "max_total_sleep_secs": 0.0,
    }


def _policy(clock: datetime | None, seed: str | None) -> "OSPolicy":
    policy: OSPolicy = {"sleep": "call_host"}
    if clock is not None:
        policy["datetime"] = clock
    if seed is not None:
        policy["random_start"] = {"seed": seed}
    return policy
