"""The call: its timeline as it happens, the kill while it waits, who goes on, and the answer."""

import json
import time
from dataclasses import dataclass

from cli.client import Refused
from cli.demo.calling import Call
from cli.demo.dependencies import Packages
from cli.demo.failed import DemoFailed
from cli.demo.holders import Leases, Log, Resumed
from cli.demo.killing import Killed, kill_the_holder
from cli.demo.live import Timeline
from cli.demo.scene import Scene
from cli.readers import find_in

LOOK_S = 0.01
API_EVERY = 8
WAITS_WITHIN_S = 30.0
ENDS_WITHIN_S = 70.0


@dataclass(frozen=True)
class Run:
    """What the demo saw of its one execution."""

    execution: str
    call: Call
    flagged: int
    killed: Killed
    resumed_ms: int
    used_before: int


def called_and_killed(scene: Scene, packages: Packages) -> Run:
    """The call of the webhook from its start to its answer."""
    used_before = scene.until(lambda: used(scene), "billing did not catch up")
    url = f"{scene.installation.address}/hooks/{scene.organization}/dependency-review"
    call = Call(url, scene.hook_secret, {"packages": packages})
    scene.teller.head(
        f"POST /hooks/…/dependency-review, signed: the {len(packages)} packages installed here, "
        "with licences"
    )
    logs = [
        Log(name, scene.installation.log_of(name))
        for name in scene.installation.supervisor.pids()
        if name.startswith("executor-")
    ]
    with scene.stores.read("executor") as connection:
        leases = Leases(connection, scene.organization)
        call.start()
        timeline = _until_it_waits(scene, call, leases)
    killed = kill_the_holder(scene, timeline, leases)
    resumed = _until_it_ends(scene, call, timeline, logs, killed)
    flagged = _answered(scene, call, timeline, packages)
    after_ms = int((resumed.at - killed.at).total_seconds() * 1000)
    return Run(timeline.execution, call, flagged, killed, after_ms, used_before)


def used(scene: Scene) -> int | None:
    """Metered executions of this month; None while billing is behind or opens the account."""
    if any(r.lag != 0 for r in find_in(scene.stores) if r.reader.startswith("billing.")):
        return None
    try:
        return scene.api.get("/v1/billing")["used"]["executions"]
    except Refused as refused:
        if refused.status != 503:
            raise
        return None


def _until_it_waits(scene: Scene, call: Call, leases: Leases) -> Timeline:
    """Looks at the leases often: a waiting execution is held by nobody, so it is seen before."""
    timeline: Timeline | None = None
    deadline = time.monotonic() + WAITS_WITHIN_S
    for turn in range(1, 1_000_000):
        if call.ended:
            raise DemoFailed(f"the answer came without a wait: {call.status} {call.answer}")
        if time.monotonic() > deadline:
            raise DemoFailed(f"it does not wait within {WAITS_WITHIN_S:g} s; {scene.hint}")
        leases.look()
        if leases.execution is not None and turn % API_EVERY == 0:
            timeline = timeline or Timeline(scene.api, leases.execution, scene.teller)
            timeline.tell(timeline.fresh())
            if timeline.due_at is not None:
                return timeline
        scene.breathe(LOOK_S)
    raise AssertionError("the deadline comes before")


def _until_it_ends(
    scene: Scene, call: Call, timeline: Timeline, logs: list[Log], killed: Killed
) -> Resumed:
    """Tells the rest of the timeline, and who went on as soon as its log says so."""
    resumed: Resumed | None = None
    deadline = time.monotonic() + ENDS_WITHIN_S
    while timeline.ended is None or not call.ended:
        fresh = timeline.fresh()
        if resumed is None:
            found = [log.resumed(timeline.execution) for log in logs]
            resumed = next((one for one in found if one is not None), None)
            if resumed is not None:
                _tell_who(timeline, resumed, killed)
        timeline.tell(fresh)
        if time.monotonic() > deadline:
            raise DemoFailed(f"it did not end within {ENDS_WITHIN_S:g} s; {scene.hint}")
        scene.breathe(LOOK_S * 3)
    if resumed is None or resumed.pid == killed.pid:
        raise DemoFailed(f"no log names another process that went on; {scene.hint}")
    return resumed


def _tell_who(timeline: Timeline, resumed: Resumed, killed: Killed) -> None:
    assert timeline.due_at is not None, "it was killed while it waited"
    after = (resumed.at - killed.at).total_seconds()
    late = max(0.0, (resumed.at - timeline.due_at).total_seconds()) * 1000
    timeline.mark(
        resumed.at, "RESUMED",
        f"by {resumed.process}, pid {resumed.pid}: {after:.2f} s after the kill, "
        f"{late:.0f} ms after its time was due", "green",
    )  # fmt: skip


def _answered(scene: Scene, call: Call, timeline: Timeline, packages: Packages) -> int:
    """What the caller got, who has waited since the beginning. Gives the flagged packages."""
    if call.status != 200 or call.headers.get("troth-execution") != timeline.execution:
        raise DemoFailed(f"the caller got {call.status} {call.answer}; {scene.hint}")
    answer = dict(call.answer)
    names = answer.pop("names")
    scene.teller.say(
        f"the caller, who has waited {call.took_s:.1f} s on the same connection, gets 200:"
    )
    scene.teller.say(f"  {json.dumps(answer)}", "green")
    if answer["packages"] != len(packages) or answer["reported"] != len(names):
        raise DemoFailed(f"the summary does not fit what was sent; {scene.hint}")
    return len(names)
