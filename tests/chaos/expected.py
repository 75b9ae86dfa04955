"""What each kind of execution must come to: its end, its effects, what is undone, its turn."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.blocks import PAGES, ROWS, TURNS_AT_ONCE
from tests.chaos.facts import Acknowledged, Event, Facts

ENDED = "executor.event.effect-ended"
UNDONE = "executor.event.undo-ended"
STEP = re.compile(r"[^.\[]+")
TURN = re.compile(r"/(begin|end)/(\w+)")


@dataclass(frozen=True)
class Expected:
    """`effects`: how many are done, by step; `undone`: paths, in this order; `events`: by type."""

    outcome: str = "succeeded"
    effects: Mapping[str, int] = field(default_factory=dict)
    undone: tuple[str, ...] = ()
    events: Mapping[str, int] = field(default_factory=dict)


def of(kind: str, sent: Mapping[str, Any]) -> Expected:
    """What must come of a call; `sent` is its body."""
    match kind:
        case "posts":
            return Expected(effects={"post": len(sent["items"])})
        case "both":
            return Expected(effects={"one": 1, "two": 1, "three": 1})
        case "saga":
            return _saga(failed=sent["failed"], caught=sent["caught"])
        case "code":
            return Expected(effects={"work": len(sent["numbers"])})
        case "parent":
            return Expected(effects={"after": 1}, events={"wait-began": 1, "wait-ended": 1})
        case "paid":
            return Expected(effects={"before": 1, "after": 1}, events={"wait-ended": 1})
        case "asks":
            return Expected(
                effects={"after": 1}, events={"approval-requested": 1, "approval-decided": 1}
            )
        case "turns":
            return Expected(effects={"begin": 1, "end": 1})
        case "listed":
            return Expected(effects={"each": PAGES, "put": PAGES * ROWS})
    return Expected()


def _saga(*, failed: bool, caught: bool) -> Expected:
    """What was done in a `try` is undone when it is caught, the rest when the whole fails."""
    effects = {"first": 1, "inner": 1, "last": 1, "second": 1}
    effects |= {} if caught else {"maybe": 1}
    effects |= {"told": 1} if failed else {"final": 1}
    if not failed:
        return Expected(effects=effects, undone=("inner",) if caught else ())
    undone = ("inner", "second", "first") if caught else ("second", "inner", "first")
    return Expected("failed", effects, undone)


def outcome(one: Acknowledged) -> str:
    """How it must end."""
    return "succeeded" if one.sent is None else of(one.kind, one.sent).outcome


def wrong(one: Acknowledged, events: list[Event]) -> Iterator[str]:
    """What an execution that has ended did otherwise; its outcome is looked at by G1."""
    if one.sent is None:
        return
    wanted, who = of(one.kind, one.sent), f"{one.kind} {one.execution}"
    done = Counter(
        STEP.match(event.path or "")[0]  # pyright: ignore[reportOptionalSubscript] - has a path
        for event in events
        if event.type == ENDED and event.outcome == "done"
    )
    if done != wanted.effects:
        yield f"{who} has done {dict(done)}, {dict(wanted.effects)} was to be done"
    undone = tuple(e.path for e in events if e.type == UNDONE and e.outcome == "done")
    if undone != wanted.undone:
        yield f"{who} has undone {undone}, {wanted.undone} was to be undone"
    said = Counter(event.type.rpartition(".")[2] for event in events)
    for name, times in wanted.events.items():
        if said[name] != times:
            yield f"{who} has {said[name]} events {name}, {times} were expected"


def too_many_at_once(facts: Facts) -> Iterator[str]:
    """By the receiver's clock: from the first `begin` of an execution to its first good `end`."""
    began: dict[tuple[str, str], float] = {}
    ended: dict[tuple[str, str], float] = {}
    for request in facts.requests:
        turn = TURN.search(request.path)
        if turn is None:
            continue
        place = (turn[2], request.key.partition(":")[0])
        if turn[1] == "begin":
            began.setdefault(place, request.at)
        elif request.status < 300:
            ended.setdefault(place, request.at)
    moments: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for place, at in began.items():
        if place in ended:
            moments[place[0]] += [(at, 1), (ended[place], -1)]
    for who, found in moments.items():
        running = most = 0
        for _, by in sorted(found):
            running += by
            most = max(most, running)
        if most > TURNS_AT_ONCE:
            yield f"{most} executions of the key {who} ran at once, {TURNS_AT_ONCE} may"
