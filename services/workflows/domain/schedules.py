"""Which instants of a schedule are due, and what becomes of each: decided once, for ever."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from libs.common.decider import Decider
from libs.common.messages import Event
from libs.language.cron import next_after
from services.workflows.contract import Decision, Missed, ScheduleTicked

RUN_ALL_MAX = 1000
LOOKED_AT_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Due:
    """The instants of a schedule that are due, in their order: too late to be in time, and not.

    `passed_over` came before them, up to `last_passed`, and are more than are decided singly.
    """

    late: tuple[datetime, ...] = ()
    in_time: tuple[datetime, ...] = ()
    passed_over: int = 0
    last_passed: datetime | None = None


def due(
    cron: str, timezone: str, first: datetime, until: datetime, now: datetime, grace: timedelta
) -> Due:
    """From `first` to `until`, the last 1,000 of those that are late singly.

    At most 10,000 are looked at: when there are more, all of these are passed over.
    """
    late: list[datetime] = []
    in_time: list[datetime] = []
    instant: datetime | None = first
    while instant is not None and instant <= until:
        is_late = now - instant > grace
        if is_late and len(late) == LOOKED_AT_MAX:
            return Due(passed_over=len(late), last_passed=late[-1])
        (late if is_late else in_time).append(instant)
        instant = next_after(cron, timezone, instant)
    passed, kept = late[:-RUN_ALL_MAX], late[-RUN_ALL_MAX:]
    return Due(tuple(kept), tuple(in_time), len(passed), passed[-1] if passed else None)


@dataclass(frozen=True, slots=True)
class Ticked:
    """The last instant of each schedule of a workflow that was decided."""

    last: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tick:
    """Decide what is due of a schedule of the version that was published then."""

    workflow_id: str
    schedule: str
    workflow_version: int
    missed: Missed
    due: Due


def decide(command: Tick, state: Ticked) -> list[Event]:
    """What was decided before is not decided again.

    Instants that nobody decided in time: `skip` starts nothing, `run-once` starts one for all of
    them, `run-all` starts each. What is passed over starts nothing.
    """
    last = state.last.get(command.schedule)

    def new(instants: tuple[datetime, ...]) -> list[datetime]:
        return [each for each in instants if last is None or each > last]

    late, passed = new(command.due.late), command.due.passed_over
    last_passed = command.due.last_passed
    ticks: list[Event] = []
    if (
        last_passed is not None
        and new((last_passed,))
        and (command.missed == "run-all" or not late)
    ):
        ticks.append(_tick(command, last_passed, "skip", passed))
        passed = 0
    if command.missed == "run-all":
        ticks += [_tick(command, each, "start", 1) for each in late]
    elif late:
        decision: Decision = "start" if command.missed == "run-once" else "skip"
        ticks.append(_tick(command, late[-1], decision, passed + len(late)))
    return ticks + [_tick(command, each, "start", 0) for each in new(command.due.in_time)]


def _tick(command: Tick, at: datetime, decision: Decision, missed: int) -> ScheduleTicked:
    return ScheduleTicked(
        workflow_id=command.workflow_id, schedule=command.schedule,
        workflow_version=command.workflow_version, due_at=at, decision=decision,
        missed_count=missed,
    )  # fmt: skip


def evolve(state: Ticked, event: Event) -> Ticked:
    if isinstance(event, ScheduleTicked):
        return Ticked({**state.last, event.schedule: event.due_at})
    raise TypeError(f"{event.type} is not of a schedule")


schedules: Decider[Tick, Ticked] = Decider(Ticked(), decide, evolve)
