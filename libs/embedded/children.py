"""Children that die with their parent, each with its log and a lock that lives as long as it."""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LOG_BYTES_MAX = 20_000_000
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


class CannotStart(RuntimeError):
    """A server or process could not be started; the text says why and what to do."""


def die_with_parent(
    death_signal: signal.Signals, first: Callable[[], None] | None = None
) -> Callable[[], None]:
    """What the child runs between fork and exec; `first` changes its user.

    The kernel forgets the death signal when a process changes its user, so it is set last; and it
    sends none for a parent that died before, so the child looks who its parent is.
    """
    parent = os.getpid()

    def setup() -> None:
        if first is not None:
            first()
        if sys.platform == "linux":
            _libc.prctl(PR_SET_PDEATHSIG, int(death_signal))
            if os.getppid() != parent:
                os._exit(1)

    return setup


def require_main_thread() -> None:
    """The kernel's "parent died" means the thread that forked, so that one must be the main one."""
    if threading.current_thread() is not threading.main_thread():
        raise CannotStart(
            "embedded servers must be started from the main thread: "
            "they are told to stop when the thread that started them ends"
        )


def launch(
    argv: Sequence[str | Path],
    *,
    log: Path,
    death_signal: signal.Signals,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    first: Callable[[], None] | None = None,
    lock: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own; `lock` is inherited and ends with its last process."""
    require_main_thread()
    with open_log(log) as output:
        try:
            return subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,
                pass_fds=() if lock is None else (lock,),
                # The child only makes system calls that were looked up before the fork.
                preexec_fn=die_with_parent(death_signal, first),
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise CannotStart(f"{argv[0]} cannot be started: {error}") from error


def terminate(
    process: subprocess.Popen[bytes], grace_s: float, first: signal.Signals = signal.SIGTERM
) -> int:
    """Ask with `first`, wait, then kill the whole session; returns the exit code."""
    if process.poll() is None:
        process.send_signal(first)
        try:
            return process.wait(grace_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def open_log(path: Path):
    """The log opened for appending, 0600; one that has grown large is put aside once, as `.1`."""
    if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
        path.replace(path.with_name(path.name + ".1"))
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab")


def log_tail(path: Path, offset: int, bytes_max: int = 1500) -> str:
    """The end of what was logged after `offset`, for an error message."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(min(offset, size), size - bytes_max))
        return file.read().decode(errors="replace").strip()


def log_size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def wait_for_lock(path: Path, whose: str, timeout_s: float) -> int:
    """Take the lock that a running server holds by inheritance; wait while a previous one stops.

    The descriptor goes to the new server (`launch(lock=…)`) and is then closed here: whoever gets
    the lock later knows that no process of that server is left.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise CannotStart(
                    f"another {whose} still runs on {path.parent} after {timeout_s:g} s; "
                    f"see who holds it with `fuser {path}`, stop that process and start again"
                ) from None
            time.sleep(0.02)
