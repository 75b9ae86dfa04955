"""The supervisor restarts what died, with growing pauses, and stops all in reverse order."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from libs.embedded.children import CannotStart, launch
from libs.embedded.supervise import Process, Supervisor


class FakePart:
    """A part whose death and failure to start the test decides."""

    def __init__(self, name: str = "part", stopped: list[str] | None = None) -> None:
        self.name, self.stopped = name, stopped if stopped is not None else []
        self.code: int | None = None
        self.starts = 0
        self.broken = False
        self.pid: int | None = None

    def start(self) -> None:
        if self.broken:
            raise CannotStart("port taken")
        self.starts += 1
        self.code = None

    def poll(self) -> int | None:
        return self.code

    def stop(self, grace_s: float) -> None:
        self.stopped.append(self.name)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def until(true: Callable[[], bool], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def python(tmp_path: Path, code: str, env: dict[str, str] | None = None) -> Process:
    return Process([sys.executable, "-c", code], log=tmp_path / "log", env=env)


def test_a_part_that_died_is_started_again_and_both_are_noted() -> None:
    clock, part = Clock(), FakePart()
    supervisor = Supervisor(clock)
    supervisor.start("executor", part)
    assert supervisor.poll() == []
    part.code = -9
    [note] = supervisor.poll()
    assert (note.name, note.what) == ("executor", "died")
    assert "SIGKILL" in note.detail
    assert supervisor.poll() == []
    clock.now += 0.2
    assert [note.what for note in supervisor.poll()] == ["restarted"]
    assert part.starts == 2


def test_the_pause_grows_while_a_part_keeps_dying_and_shrinks_once_it_lived() -> None:
    clock, part = Clock(), FakePart()
    supervisor = Supervisor(clock)
    supervisor.start("executor", part)
    pauses: list[float] = []
    for _ in range(8):
        part.code = 1
        supervisor.poll()
        died = clock.now
        while part.code is not None:
            clock.now += 0.1
            supervisor.poll()
        pauses.append(clock.now - died)
    assert pauses == sorted(pauses)
    assert pauses[0] == pytest.approx(0.2, abs=0.11)
    assert pauses[-1] == pytest.approx(10, abs=0.11)
    clock.now += 31
    part.code = 1
    supervisor.poll()
    clock.now += 0.2
    assert [note.what for note in supervisor.poll()] == ["restarted"]


def test_a_restart_that_fails_is_noted_and_tried_again() -> None:
    clock, part = Clock(), FakePart()
    supervisor = Supervisor(clock)
    supervisor.start("nats", part)
    part.code, part.broken = 1, True
    supervisor.poll()
    clock.now += 1
    [note] = supervisor.poll()
    assert note.what == "restart-failed"
    assert "port taken" in note.detail
    part.broken = False
    clock.now += 1
    assert [note.what for note in supervisor.poll()] == ["restarted"]


def test_all_are_stopped_in_reverse_order_and_only_once() -> None:
    stopped: list[str] = []
    supervisor = Supervisor()
    for name in ("postgres", "nats", "gateway"):
        supervisor.start(name, FakePart(name, stopped))
    supervisor.stop_all(1)
    supervisor.stop_all(1)
    assert stopped == ["gateway", "nats", "postgres"]


def test_a_part_that_cannot_start_the_first_time_is_the_callers_error() -> None:
    part = FakePart()
    part.broken = True
    supervisor = Supervisor()
    with pytest.raises(CannotStart):
        supervisor.start("nats", part)
    assert supervisor.pids() == {}


def test_a_killed_process_comes_back_with_another_pid(tmp_path: Path) -> None:
    supervisor = Supervisor()
    supervisor.start("sleeper", python(tmp_path, "import time; time.sleep(600)"))
    try:
        first = supervisor.pids()["sleeper"]
        assert first is not None
        os.kill(first, signal.SIGKILL)
        notes: list[str] = []
        until(lambda: notes.extend(n.what for n in supervisor.poll()) or "restarted" in notes)
        assert notes == ["died", "restarted"]
        assert supervisor.pids()["sleeper"] != first
    finally:
        supervisor.stop_all(5)


def test_a_process_gets_its_environment_and_its_log_is_closed_to_others(tmp_path: Path) -> None:
    process = python(tmp_path, "import os; print(os.environ)", env={"ONLY": "this"})
    process.start()
    until(lambda: process.poll() is not None)
    assert "'ONLY': 'this'" in (tmp_path / "log").read_text()
    assert "HOME" not in (tmp_path / "log").read_text()
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_a_process_that_drains_may_finish_and_a_deaf_one_is_killed_with_its_children(
    tmp_path: Path,
) -> None:
    polite = python(
        tmp_path,
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('drained', flush=True), sys.exit()))\n"
        "print('up', flush=True)\n"
        "time.sleep(600)",
    )
    polite.start()
    until(lambda: "up" in (tmp_path / "log").read_text())
    polite.stop(20)
    assert "drained" in (tmp_path / "log").read_text()
    deaf = python(
        tmp_path,
        "import signal, subprocess, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "print('child', child.pid, flush=True)\n"
        "time.sleep(600)",
    )
    deaf.start()
    pid = deaf.pid
    assert pid is not None
    until(lambda: "child" in (tmp_path / "log").read_text())
    child = int((tmp_path / "log").read_text().rsplit(maxsplit=1)[1])
    deaf.stop(0.1)
    until(lambda: not is_alive(pid) and not is_alive(child))


def is_alive(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # before it was opened, before it was read
        return False


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="no-such-program"):
        Process(["/no-such-program"], log=tmp_path / "log").start()


def test_a_child_is_only_started_from_the_main_thread(tmp_path: Path) -> None:
    caught: list[BaseException] = []

    def start() -> None:
        try:
            launch(["true"], log=tmp_path / "log", death_signal=signal.SIGTERM)
        except CannotStart as error:
            caught.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(caught[0])


def test_a_log_that_grew_large_is_put_aside_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.embedded.children.LOG_BYTES_MAX", 10)
    for text in ("first start", "second start", "third start"):
        process = python(tmp_path, f"print({text!r})")
        process.start()
        until(lambda process=process: process.poll() is not None)
    assert (tmp_path / "log").read_text() == "third start\n"
    assert (tmp_path / "log.1").read_text() == "second start\n"
