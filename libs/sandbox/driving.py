"""One stretch of a run, from its begin or a snapshot to the next call or the end; blocks a thread.

Imports Monty, and is itself imported when the first code runs.
"""

import zlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, assert_never

from pydantic_monty import ExternalResult as Result
from pydantic_monty import (
    FunctionSnapshot,
    FutureSnapshot,
    Monty,
    MontyComplete,
    MontyCrashedError,
    MontyError,
    MontyRuntimeError,
    MontySession,
    MontySyntaxError,
    NameLookupSnapshot,
    OSPolicy,
    ResourceLimits,
    SyncSnapshot,
)

from libs.sandbox.errors import Limit, LimitReached, PythonFailed, SandboxError, WorkerLost
from libs.sandbox.outcomes import (
    HELD_BYTES_MAX,
    SNAPSHOT_BYTES_MAX,
    CallFailed,
    Paused,
    Printed,
    Returned,
)  # fmt: skip
from libs.sandbox.values import as_json

# A worker that does not keep to its limits by itself (one huge multiplication) is ended.
GRACE_S = 1.0
FUSE_S = 60.0
SESSIONS_MAX = 100  # of one process, which is then replaced
SLEEPS = ("time.sleep", "system.sleep", "system.async_sleep")
# How Monty begins the message of what it raises itself, and no handler in the code catches.
LIMITS: Mapping[str, Limit] = {
    "feed time limit exceeded": "time",
    "memory limit exceeded": "memory",
    "the worker exceeded its memory limit": "memory",
    "suspension limit": "suspensions",
}


def pool_of(processes_max: int) -> Monty:
    """A pool without processes; the first run starts one."""
    return Monty(
        min_processes=0, max_processes=processes_max, request_timeout=FUSE_S,
        feed_duration_limit_grace=GRACE_S, max_checkouts_per_worker=SESSIONS_MAX,
    )  # fmt: skip


def drive(
    pool: Monty,
    first: Callable[[MontySession, Printed], SyncSnapshot],
    functions: tuple[str, ...],
    holds: Callable[[int | None], AbstractContextManager[None]],
    limits: ResourceLimits | None = None,
    policy: OSPolicy | None = None,
) -> Paused | Returned:
    """What the code does from `first` on; inside `holds` the process with that number is ours."""
    printed = Printed()
    try:
        checkout = pool.checkout(limits=limits, os_policy=policy, assert_message_annotations=False)
        with checkout as session, holds(session.worker_pid):
            return _driven(first(session, printed), functions, printed)
    except MontyError as error:
        ours = _translated(error, printed)
        ours.printed = printed.text
        raise ours from None
    except SandboxError as error:
        error.printed = printed.text
        raise
    except RuntimeError as error:  # what the pool raises when it can't start a process
        raise WorkerLost(str(error)) from error


def _driven(step: SyncSnapshot, functions: tuple[str, ...], printed: Printed) -> Paused | Returned:
    while True:
        match step:
            case MontyComplete():
                return Returned(as_json(step.output, "the returned value"), printed.text)
            case NameLookupSnapshot():
                name = step.variable_name
                step = step.resume(value=_named(name)) if name in functions else step.resume()
            case FunctionSnapshot(is_os_function=True):
                step = _system(step)
            case FunctionSnapshot():
                if step.function_name in functions:
                    return _paused(step, printed)
                missing = NameError(f"name '{step.function_name}' is not defined")
                step = step.resume({"exception": missing})
            case FutureSnapshot():
                raise PythonFailed("RuntimeError", "it awaits what nobody gives", None)
            case _:
                assert_never(step)


def _paused(step: FunctionSnapshot, printed: Printed) -> Paused:
    name = step.function_name
    args = as_json(step.args, f"{name}: the arguments")
    kwargs = as_json(step.kwargs, f"{name}: the arguments")
    held = step.dump()
    if len(held) > HELD_BYTES_MAX:
        raise _too_much_held(name, f"{len(held)} bytes; limit held_bytes {HELD_BYTES_MAX}")
    # Names and structure are written out in a dump: it packs to about a tenth.
    snapshot = zlib.compress(held, 1)
    if (size := len(snapshot)) > SNAPSHOT_BYTES_MAX:
        raise _too_much_held(name, f"{size} bytes; limit snapshot_bytes {SNAPSHOT_BYTES_MAX}")
    return Paused(name, args, kwargs, snapshot, printed.text)


def _too_much_held(function: str, how_much: str) -> LimitReached:
    return LimitReached("snapshot", f"to call {function} the code would be stored as {how_much}")


def restored(session: MontySession, snapshot: bytes, value: Any, printed: Printed) -> SyncSnapshot:
    """Goes on with the answer to the call that the snapshot waits for."""
    step = session.load_snapshot(zlib.decompress(snapshot), print_callback=printed)
    assert isinstance(step, FunctionSnapshot), "only calls are stored"
    result: Result = {"return_value": value}
    if isinstance(value, CallFailed):
        result = {"exc_type": "RuntimeError", "message": value.message}
    return step.resume(result)


def _system(step: FunctionSnapshot) -> SyncSnapshot:
    """Files, environment and further modules are refused as Monty does it; sleeping has a step."""
    if step.function_name in SLEEPS:
        why = RuntimeError("code does not sleep here; use a step with `wait`")
        return step.resume({"exception": why})
    return step.resume_not_handled()


def _named(name: str) -> Callable[[], None]:
    """A function that stands for one of ours where the code takes it as a value."""

    def stands_for() -> None:
        raise AssertionError("never called on this side")

    stands_for.__name__ = stands_for.__qualname__ = name
    return stands_for


def _translated(error: MontyError, printed: Printed) -> SandboxError:
    if isinstance(error, MontyCrashedError):
        if error.timed_out:
            return LimitReached("time", "the code did not end in time and was ended; limit time_s")
        return WorkerLost("the process of the sandbox ended")
    if printed.flooded:
        return LimitReached("output", "the code prints without end; limit printed_chars")
    cause = error.exception()
    message = str(cause)
    for beginning, which in LIMITS.items():
        if message.startswith(beginning):
            return LimitReached(which, f"{message}; limit {which}")
    return PythonFailed(type(cause).__name__, message, _line(error))


def _line(error: MontyError) -> int | None:
    """The innermost line of the code itself; what it gives to `eval` has lines of its own."""
    if not isinstance(error, MontyRuntimeError | MontySyntaxError):
        return None
    lines = [frame.line for frame in error.traceback() if frame.filename != "<string>"]
    return lines[-1] if lines else None
