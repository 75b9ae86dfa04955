"""A `python` step: code in the sandbox, whose calls of connectors are durable steps of their own.

Call n is the effect `<path>.n`. With its EffectBegan the suspended code is committed, so that
another process goes on from the call's recorded answer, with all variables, and repeats nothing.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from libs.language import ExpressionError
from libs.language.steps import PythonStep
from libs.sandbox import (
    CallFailed,
    LimitReached,
    Limits,
    Paused,
    PythonFailed,
    Returned,
    SnapshotRefused,
    WorkerLost,
    seal,
    unseal,
)
from services.executor import effects
from services.executor.failure import StepFailed
from services.executor.host import MISSING, Scope, expression_failed

if TYPE_CHECKING:
    from services.executor.run import Run

VALUE_BYTES_MAX = 262_144
COMPUTE_S = 2.0
TRIES = 3
CALLS_MAX = 1000
FAILURES = {"time": "timeout", "output": "output-too-large"}


async def run_python(run: "Run", step: PythonStep, path: str, scope: Scope) -> Any:
    """What the code returns. Raises StepFailed; Parked while a call waits for its next attempt."""
    since = run.first_seen(f"{path}.1")
    value = await _Code(run, step, path, scope).result()
    await run.note(path, "python", since, value)
    return value


class _Code:
    def __init__(self, run: "Run", step: PythonStep, path: str, scope: Scope) -> None:
        self._run, self._step, self._path, self._scope = run, step, path, scope
        self._sandbox = run.around.sandbox
        self._connectors = {
            name.replace("-", "_"): f"{name}@{version}" for name, version in step.uses
        }
        self._functions = tuple(self._connectors)
        # A key that follows from the execution's data key: destroyed with it.
        self._key = bytes.fromhex(run.key.digest(run.stream, "python-snapshot"))
        self._failed: StepFailed | None = None

    async def result(self) -> Any:
        at, number = await self._standing()
        while isinstance(at, Paused):
            number += 1
            if number > CALLS_MAX:
                raise self._error(f"more than {CALLS_MAX} calls")
            at = await self._go_on(at.snapshot, await self._answer(number, at))
        return at.value

    async def _standing(self) -> tuple[Paused | Returned, int]:
        """Where the code stands, and how many calls it has made by then."""
        effects_ = self._run.state.effects
        number = 0
        while self._place(number + 1) in effects_:
            number += 1
        stored = effects_[self._place(number)].snapshot if number else None
        if stored is not None:
            try:
                snapshot = self._unsealed(stored, number)
            except SnapshotRefused as refused:
                if refused.code != "snapshot-version":
                    raise self._error(f"{refused.code}: {refused}") from None
            else:
                return await self._go_on(snapshot, await self._answer(number, None)), number
        # From the start. After an update of Monty the recorded answers lead to the same place.
        return await self._begin(), 0

    async def _begin(self) -> Paused | Returned:
        clock = self._clock()
        names = await self._names(clock)
        limits = Limits(time_s=min(self._step.timeout_s, COMPUTE_S))
        seed = f"{self._run.id}:{self._path}"
        return await self._tried(
            lambda: self._sandbox.begin(
                self._step.code, names, self._functions, limits, clock=clock, seed=seed
            )
        )

    async def _go_on(self, snapshot: bytes, answer: Any) -> Paused | Returned:
        return await self._tried(lambda: self._sandbox.go_on(snapshot, answer, self._functions))

    async def _answer(self, number: int, asked: Paused | None) -> Any:
        """The recorded answer of a call, else the one it gets now; CallFailed when it fails."""
        run, place = self._run, self._place(number)
        before = run.state.effects.get(place)
        if before is not None and asked is not None and run.open(before.request) != asked.kwargs:
            raise self._error(f"call {number} is another one than was recorded")
        if (value := run.recorded(place)) is not MISSING:
            return value
        if asked is not None and asked.args:
            # No effect has begun; going from the start comes here in the same way.
            raise self._error(f"{asked.function} takes its inputs by name: {asked.function}(a=…)")
        run.may_begin()
        if before is not None:
            assert before.snapshot is not None, "each call of code is stored with it"
            connector, stored = before.connector, before.snapshot
        else:
            assert asked is not None, "a call without an effect was asked for just now"
            connector = self._connectors[asked.function]
            stored = self._sealed(asked.snapshot, number)
        effect = effects.Effect(
            place, connector, self._step, None, self._step.timeout_s,
            snapshot=lambda: stored,
        )  # fmt: skip
        given = asked.kwargs if asked is not None else None
        try:
            return await effects.carry_out(run, effect, self._scope, given)
        except StepFailed as failure:
            self._failed = failure
            return CallFailed(_told(failure))

    async def _names(self, clock: datetime) -> dict[str, Any]:
        try:
            names = {
                name: await self._run.evaluate(value, self._scope, clock)
                for name, value in self._step.with_.items()
            }
        except ExpressionError as error:
            raise expression_failed(error, self._path) from None
        if (size := len(msgspec.json.encode(names))) > VALUE_BYTES_MAX:
            raise StepFailed(
                "input-invalid", f"`with` of {size} bytes; limit value_bytes {VALUE_BYTES_MAX}",
                self._path,
            )  # fmt: skip
        return names

    async def _tried(self, work: Callable[[], Awaitable[Paused | Returned]]) -> Paused | Returned:
        """A worker that is lost was not the code's doing: the same stretch is run again."""
        for _ in range(TRIES):
            try:
                return await work()
            except WorkerLost:
                continue
            except LimitReached as stopped:
                kind = FAILURES.get(stopped.which, "python-error")
                raise StepFailed(kind, str(stopped), self._path) from None
            except PythonFailed as failed:
                raise self._failure(failed) from None
        raise self._error(f"the process of the sandbox ended {TRIES} times")

    def _failure(self, failed: PythonFailed) -> StepFailed:
        """A failed call that the code does not handle fails the step as the call failed."""
        where = f" (line {failed.line})" if failed.line is not None else ""
        call = self._failed
        if call is not None and failed.message == _told(call):
            message = f"{call.message}{where}"
            return StepFailed(call.type, message, call.path, call.attempts, call.status)
        return self._error(f"{failed.type}: {failed.message}{where}")

    def _error(self, message: str) -> StepFailed:
        return StepFailed("python-error", message, self._path)

    def _place(self, number: int) -> str:
        return f"{self._path}.{number}"

    def _clock(self) -> datetime:
        """When the step began, which the first call's EffectBegan records as `first_at`."""
        seen = self._run.first_seen(self._place(1))
        return seen.replace(microsecond=seen.microsecond // 1000 * 1000)

    def _sealed(self, snapshot: bytes, number: int) -> str:
        """MAC inside, ciphertext outside: a changed one is refused, and nobody reads it."""
        run = self._run
        bound = seal(snapshot, self._key, f"{run.id}:{self._place(number)}")
        return run.key.seal_bytes(bound, run.stream)

    def _unsealed(self, stored: str, number: int) -> bytes:
        run = self._run
        try:
            bound = run.key.open_bytes(stored, run.stream)
        except ValueError as changed:
            raise SnapshotRefused("snapshot-changed", str(changed)) from None
        return unseal(bound, self._key, f"{run.id}:{self._place(number)}")


def _told(failure: StepFailed) -> str:
    return f"{failure.type}: {failure.message}"[:1000]
