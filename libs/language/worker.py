"""The worker process for evaluations that an event loop should not do, seen from the loop."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from libs.language.errors import ExpressionError, NeedsWorker, WorkerFault
from libs.language.expression import Expression
from libs.language.templates import Value

FUSE_S = 5.0
START_S = 30.0
LENGTH_BYTES = 4


class ExpressionWorker:
    """One process, started when first needed, that evaluates with the whole budget, in turn.

    It has nothing but the names that an expression reads: no environment, no connection. What
    the fuse cuts, or what the process does not survive, is a WorkerFault and never a result; the
    next evaluation starts a new process. It belongs to the event loop that uses it first.
    """

    def __init__(self, fuse_s: float = FUSE_S) -> None:
        self._fuse_s = fuse_s
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._process.pid if self._process is not None else None

    async def evaluate(self, what: Expression | Value, scope: Mapping[str, Any], clock: str) -> Any:
        """The value: found here if little work gives it, else in the process."""
        try:
            return what.evaluate_inline(scope, clock)
        except NeedsWorker:
            return await self.evaluate_apart(what, scope, clock)

    async def evaluate_apart(
        self, what: Expression | Value, scope: Mapping[str, Any], clock: str
    ) -> Any:
        """The value, found in the process; ExpressionError is a result, WorkerFault is none."""
        request = msgspec.json.encode(_request(what, scope, clock))
        async with self._turn:
            answer = msgspec.json.decode(await self._asked(request))
        if "error" in answer:
            raise ExpressionError(**answer["error"])
        return answer["value"]

    async def start(self) -> None:
        """Starts the process before it is needed."""
        async with self._turn:
            await self._asked(b"{}")

    async def close(self) -> None:
        """Ends the process; a later evaluation would start another."""
        async with self._turn:
            await self._end()

    async def _asked(self, request: bytes) -> bytes:
        answered = False
        try:
            process = await self._running()
            async with asyncio.timeout(self._fuse_s):
                answer = await _exchange(process, request)
            answered = True
            return answer
        except TimeoutError:
            raise WorkerFault("the worker took too long and was ended") from None
        except (OSError, asyncio.IncompleteReadError):
            raise WorkerFault("the worker ended before it answered") from None
        finally:
            # Also when the caller is cancelled: the answer on its way would meet the next question.
            if not answered:
                await asyncio.shield(self._end())

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "libs.language.worker_process"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": os.pathsep.join(each or os.getcwd() for each in sys.path)},
        )
        async with asyncio.timeout(START_S):
            await _exchange(process, b"{}")
        return process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _request(what: Expression | Value, scope: Mapping[str, Any], clock: str) -> dict[str, Any]:
    read = {name: scope[name] for name in what.names if name in scope}
    common = {"scope": read, "clock": clock}
    if isinstance(what, Expression):
        return {"expression": what.text, **common}
    return {"value": what.source, "where": what.where, "secrets": what.secrets_allowed, **common}


async def _exchange(process: asyncio.subprocess.Process, request: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(len(request).to_bytes(LENGTH_BYTES) + request)
    await process.stdin.drain()
    length = int.from_bytes(await process.stdout.readexactly(LENGTH_BYTES))
    return await process.stdout.readexactly(length)
