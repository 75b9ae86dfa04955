"""The kill: exactly the process that ran the execution, while the execution waits."""

import os
import signal
import time
from dataclasses import dataclass
from datetime import datetime

from cli.demo.failed import DemoFailed
from cli.demo.holders import Leases
from cli.demo.live import Timeline
from cli.demo.scene import Scene
from libs.common import clock

DIE_WITHIN_S = 10.0


@dataclass(frozen=True)
class Killed:
    """Which process, and when it was seen to be gone."""

    process: str
    pid: int
    at: datetime


def kill_the_holder(scene: Scene, timeline: Timeline, leases: Leases) -> Killed:
    """SIGKILL; with --pause the user sends it. The supervisor restarts it only when it is asked
    (`poll`), which the demo does once to reap it, and then not before somebody else went on."""
    pid = leases.holder
    names = {pid: name for name, pid in scene.installation.supervisor.pids().items()}
    if pid is None or pid not in names:
        raise DemoFailed(f"no process of ours held the execution (owner {pid}); {scene.hint}")
    if timeline.due_at is None or timeline.due_at <= clock.now():
        raise DemoFailed("the wait was over before the kill: this machine is busy; run it again")
    if scene.pause:
        _ask_for_it(scene, timeline, names[pid], pid)
    else:
        os.kill(pid, signal.SIGKILL)
        scene.until(
            lambda: not is_running_child(pid) or None, f"{names[pid]} did not die", DIE_WITHIN_S
        )
    at = clock.now()
    said = [note.detail for note in scene.installation.poll() if note.name == names[pid]]
    if not said or exists(pid):
        raise DemoFailed(f"pid {pid} is still there after SIGKILL; {scene.hint}")
    how = said[0].partition(";")[0]
    what = f"{names[pid]}, pid {pid}, which ran it so far: {how}, gone, not restarted"
    timeline.mark(at, "KILLED", what, "red")
    return Killed(names[pid], pid, at)


def _ask_for_it(scene: Scene, timeline: Timeline, name: str, pid: int) -> None:
    assert timeline.due_at is not None, "asked for while it waits"
    left = (timeline.due_at - clock.now()).total_seconds()
    scene.teller.say(f"your turn, within {left:.0f} s, elsewhere:  kill -9 {pid}   ({name})")
    deadline = time.monotonic() + left
    while is_running_child(pid):
        if time.monotonic() > deadline:
            raise DemoFailed(f"nobody killed pid {pid} in time; run it again, or without --pause")
        scene.breathe(0.05)


def is_running_child(pid: int) -> bool:
    """Whether a process that we started still runs; an ended one is left for who reaps it."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return False  # it was reaped: the number may be somebody else's by now


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
