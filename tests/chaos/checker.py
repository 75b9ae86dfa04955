"""Judges collected facts against G1 to G4; pure, so that a test can doctor the facts."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from tests.chaos import expected
from tests.chaos.facts import Event, Facts, Producer, Violation

STARTED = "executor.event.execution-started"
FINISHED = "executor.event.execution-finished"
BEGAN = "executor.event.effect-began"
ENDED = "executor.event.effect-ended"
UNDO_BEGAN = "executor.event.undo-began"
UNDO_ENDED = "executor.event.undo-ended"
UNKNOWN_OUTCOME = frozenset({"timeout", "connection"})


def check(facts: Facts) -> list[Violation]:
    """Every violation there is, G1 first."""
    said = (("G1", g1(facts)), ("G2", g2(facts)), ("G3", g3(facts)), ("G4", g4(facts)))
    return [Violation(guarantee, what) for guarantee, found in said for what in found]


def g1(facts: Facts) -> Iterator[str]:
    """What was acknowledged is there, once, and ended as it must or is waiting for its time."""
    executions = facts.executions
    told: dict[str, set[str]] = defaultdict(set)
    for one in facts.acknowledged:
        told[one.key].add(one.execution)
        events = executions.get(one.execution, [])
        who = f"{one.kind} {one.execution}"
        if not any(e.type == STARTED for e in events):
            yield f"{who} was acknowledged and is not in the log"
        elif (end := _end(events)) is None:
            if one.execution not in facts.due_in_s:
                yield f"{who} was acknowledged, has not ended, and nothing will wake it"
            elif one.sent is not None:
                due = facts.due_in_s[one.execution]
                yield f"{who} should have ended and is due in {due:.0f} s"
        elif end.outcome != expected.outcome(one):
            yield f"{who} was acknowledged and ended as {end.outcome} ({end.error})"
        if one.wrong is not None:
            yield f"{who} was answered wrongly: {one.wrong}"
    for key, found in told.items():
        if len(found) > 1:
            yield f"key {key} started {len(found)} executions: {', '.join(sorted(found))}"


def g2(facts: Facts) -> Iterator[str]:
    """No completed step ran again, and nothing is left lying."""
    answers: dict[str, list[int]] = defaultdict(list)
    for request in facts.requests:
        answers[request.key].append(request.status)
    facts_of = facts.executions
    for execution, events in facts_of.items():
        if _end(events) is None and facts.due_in_s.get(execution, -1.0) <= 0:
            yield f"{execution} stays unfinished"
        counted = Counter(path for event in events for path in event.results)
        for path, times in counted.items():
            if times > 1:
                yield f"{execution}: step {path} has {times} results"
        yield from _effects(execution, events, answers, (BEGAN, ENDED))
        yield from _effects(execution, events, answers, (UNDO_BEGAN, UNDO_ENDED))
    for key in answers:
        yield f"a request with key {key} came, and no log knows of it"
    for one in {one.execution: one for one in facts.acknowledged}.values():
        if _end(events := facts_of.get(one.execution, [])) is not None:
            yield from expected.wrong(one, events)
    yield from expected.too_many_at_once(facts)


def _effects(
    execution: str, events: list[Event], answers: dict[str, list[int]], types: tuple[str, str]
) -> Iterator[str]:
    """The log explains every request; takes the answers of the keys that it knows."""
    first, last = types
    attempts: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.type in types and event.path is not None:
            attempts[event.path].append(event)
    for path, found in attempts.items():
        began = [e for e in found if e.type == first]
        ended = {e.attempt: e for e in found if e.type == last}
        done = next((e for e in found if e.type == last and e.outcome == "done"), None)
        if done is not None and any(e.n > done.n for e in began):
            yield f"{execution}: effect {path} was begun again after it was done"
        statuses = [s for key in {e.key for e in began if e.key} for s in answers.pop(key, [])]
        good = sum(1 for status in statuses if status < 300)
        unknown = sum(1 for e in began if _outcome_unknown(ended.get(e.attempt)))
        if len(statuses) > len(began):
            yield f"{execution}: {len(statuses)} requests of {path}, {len(began)} begun in the log"
        if good > unknown + (done is not None):
            yield f"{execution}: {path} was answered well {good} times, {unknown} were interrupted"
        if done is not None and not good:
            yield f"{execution}: {path} is done in the log, and no request was answered well"


def _outcome_unknown(ended: Event | None) -> bool:
    """The attempt was cut, or its answer got lost: it may have done its work."""
    return ended is None or (ended.outcome == "failed" and ended.error in UNKNOWN_OUTCOME)


def g3(facts: Facts) -> Iterator[str]:
    """Committed = published = audited, number by number; used = metered."""
    for name, producer in facts.producers.items():
        yield from (f"{name}: {said}" for said in _numbers(producer))
    started = sum(1 for e in facts.producers["executor"].log if e.type == STARTED)
    if facts.metered != started:
        yield f"billing counted {facts.metered} executions, {started} were started"


def _numbers(producer: Producer) -> Iterator[str]:
    committed = {event.n: event.id for event in producer.log}
    if len(committed) != len(producer.log):
        yield "a number stands twice in the log"
    missing = [n for n in range(1, producer.head + 1) if n not in committed]
    if missing:
        yield f"the log lacks {len(missing)} of {producer.head} numbers, the first is {missing[0]}"
    if max(committed, default=0) > producer.head:
        yield f"the log holds {max(committed)}, its head says {producer.head}"
    if producer.relayed != producer.head:
        yield f"the relay is at {producer.relayed}, the head is {producer.head}"
    for where, found in (("published", producer.published), ("audited", producer.audited)):
        ids: dict[int, set[str]] = defaultdict(set)
        for number in found:
            ids[number.n].add(number.id)
        lacking = [n for n in committed if n not in ids]
        if lacking:
            yield f"{len(lacking)} numbers were never {where}, the first is {min(lacking)}"
        for n, seen in ids.items():
            if seen != {committed.get(n)}:
                yield f"number {n} was {where} as another event than was committed"
    entries = Counter(number.n for number in producer.audited)
    twice = [n for n, times in entries.items() if times > 1]
    if twice:
        yield f"{len(twice)} numbers were audited more than once, the first is {min(twice)}"


def g4(facts: Facts) -> Iterator[str]:
    """Versions of a stream without a gap, in the order of numbers; the view saw every end."""
    for name, producer in facts.producers.items():
        streams: dict[str, list[Event]] = defaultdict(list)
        for event in producer.log:
            streams[event.stream].append(event)
        for stream, events in streams.items():
            events.sort(key=lambda e: e.version)
            if [e.version for e in events] != list(range(1, len(events) + 1)):
                yield f"{name}: versions of {stream} have a gap"
            if any(a.n >= b.n for a, b in pairwise(events)):
                yield f"{name}: {stream} has numbers against its versions"
    for execution, events in facts.executions.items():
        end = _end(events)
        outcome = end.outcome if end else None
        if execution not in facts.listed:
            yield f"the view of executions lacks {execution}"
        elif facts.listed[execution] != outcome:
            yield f"the view says {facts.listed[execution]} of {execution}, its log {outcome}"


def _end(events: list[Event]) -> Event | None:
    return next((e for e in events if e.type == FINISHED), None)
