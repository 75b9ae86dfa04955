"""One execution under random crashes, duplicates, commands, failures, times: its promises hold."""

import asyncio
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests_support.paper import Paper

from services.executor.contract import (
    AlreadyDecided,
    ApprovalClosed,
    EffectBegan,
    EffectEnded,
    ExecutionFinished,
    ExecutionProgressed,
    UndoBegan,
    UndoEnded,
    WaitBegan,
)  # fmt: skip
from services.executor.domain import Cancel, Decide, Going, Pause, Resume


def post(name: str, **more: Any) -> dict[str, Any]:
    undo = {
        "uses": "http-request@1",
        "with": {"method": "DELETE", "url": f"http://x.example/{name}"},
    }
    return {
        "id": name, "uses": "http-request@1", "undo": undo,
        "with": {"method": "POST", "url": f"http://x.example/{name}"},
        "retry": {"attempts": 2, "initial": "1ms", "max": "1ms", **more},
    }  # fmt: skip


EVERYTHING = {
    "troth": 1, "name": "paper",
    "on_error": {"steps": [{"id": "told", "set": {"why": "${{ error.type }}"}}]},
    "steps": [
        post("first"),
        {"id": "both", "parallel": {
            "left": {"steps": [
                post("left"),
                {"id": "kept", "try": {"steps": [{"id": "nap", "wait": {"for": "1h"}}]},
                 "finally": {"steps": [post("tidied")]}},
            ]},
            "right": {"steps": [post("right", then="pause")]},
        }},
        {"id": "tried", "try": {"steps": [post("risky")]},
         "catch": [{"on": ["client-error"], "steps": [post("mended")]}],
         "finally": {"steps": [{"id": "last", "set": {"x": 1}}]}},
        {"id": "ok", "approval": {"by": ["role:admin"], "message": "?", "timeout": "2h",
                                  "on_timeout": "approve"}},
        {"id": "each", "for_each": "${{ range(input.n) }}", "as": "n", "concurrency": 2,
         "steps": [post("piece")], "output": "${{ piece.status }}"},
    ],
    "output": "${{ each }}",
}  # fmt: skip

ANSWERS = st.lists(st.sampled_from(["ok", "ok", "ok", "500", "400", "crash"]), max_size=6)


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.paper = Paper(EVERYTHING)
        self.cancelled = False

    @rule(answers=ANSWERS, holders=st.integers(1, 2), crash=st.one_of(st.none(), st.integers(1, 6)))
    def carry(self, answers: list[str], holders: int, crash: int | None) -> None:
        self.paper.answers = list(answers)
        self.paper.crash_after = None if crash is None else len(self.paper.log) + crash
        asyncio.run(asyncio.wait_for(self.paper.carry(holders), 20))

    @rule()
    def time_passes(self) -> None:
        self.paper.tick()

    @precondition(lambda self: isinstance(self.paper.state, Going))
    @rule(rollback=st.booleans())
    def cancel(self, rollback: bool) -> None:
        self.paper.tell(Cancel(rollback, None))

    @precondition(lambda self: isinstance(self.paper.state, Going))
    @rule()
    def pause(self) -> None:
        state = self.paper.state
        if state.cancel is None and state.rollback is None:
            self.paper.tell(Pause(None))

    @precondition(
        lambda self: bool(isinstance(self.paper.state, Going) and self.paper.state.paused)
    )
    @rule(decision=st.sampled_from(["retry", "fail"]))
    def resume(self, decision: str) -> None:
        of_step = self.paper.state.paused.path is not None
        self.paper.tell(Resume(decision if of_step else "go-on", None))

    @precondition(
        lambda self: bool(isinstance(self.paper.state, Going) and self.paper.state.approvals)
    )
    @rule(person=st.sampled_from(["per_a", "per_b"]), yes=st.booleans())
    def decide(self, person: str, yes: bool) -> None:
        approval = next(iter(self.paper.state.approvals.values())).asked.approval_id
        said = "approved" if yes else "rejected"
        try:
            self.paper.tell(
                Decide(approval, person, True, "per_s", said, None, None, self.paper.clock)
            )
        except (ApprovalClosed, AlreadyDecided):
            return

    @invariant()
    def what_was_done_is_done_once(self) -> None:
        done: set[str] = set()
        results: Counter[str] = Counter()
        attempts: Counter[str] = Counter()
        for event in self._events():
            match event:
                case EffectBegan():
                    assert event.path not in done, f"{event.path} was done, and began again"
                    attempts[event.path] += 1
                    assert event.attempt == attempts[event.path], "an attempt was not counted"
                case EffectEnded(outcome="done"):
                    done.add(event.path)
                case ExecutionProgressed() | ExecutionFinished():
                    results.update(result.path for result in event.results)
        assert [path for path, times in results.items() if times > 1] == []

    @invariant()
    def effects_are_undone_once_and_only_if_done(self) -> None:
        done: list[str] = []
        undone: set[str] = set()
        for event in self._events():
            match event:
                case EffectEnded(outcome="done"):
                    done.append(event.path)
                case UndoBegan():
                    assert event.path in done
                    assert event.path not in undone, f"{event.path} was undone twice"
                case UndoEnded(outcome="done"):
                    undone.add(event.path)

    @invariant()
    def each_attempt_sends_the_same_key(self) -> None:
        for key, url in self.paper.sent:
            assert key.endswith(":undo") or key.split(":")[1].partition("[")[0] in url

    def teardown(self) -> None:
        """Left alone from here on, it comes to exactly one end, and keeps what it promised."""
        for _ in range(60):
            if self.paper.over:
                break
            if isinstance(self.paper.state, Going) and self.paper.state.paused:
                of_step = self.paper.state.paused.path is not None
                self.paper.tell(Resume("retry" if of_step else "go-on", None))
            self.paper.answers, self.paper.crash_after = [], None
            asyncio.run(asyncio.wait_for(self.paper.carry(), 20))
            self.paper.tick()
        events = self._events()
        ends = [e for e in events if isinstance(e, ExecutionFinished)]
        assert len(ends) == 1 and events[-1] is ends[0], "exactly one end, and nothing after it"
        self._kept_its_word(ends[0], events)

    def _kept_its_word(self, end: ExecutionFinished, events: list[Any]) -> None:
        asked = [e for e in events if type(e).__name__ == "CancelRequested"]
        undone = {e.path for e in events if isinstance(e, UndoEnded)}
        done = {e.path for e in events if isinstance(e, EffectEnded) and e.outcome == "done"}
        if end.outcome == "cancelled":
            assert asked, "nobody asked for it"
        if end.outcome == "failed" or (end.outcome == "cancelled" and asked[0].rollback):
            assert done - undone == set(), "a completed effect was forgotten"
        waited = any(isinstance(e, WaitBegan) and e.path == "nap" for e in events)
        tidied = any(isinstance(e, EffectBegan) and e.path == "tidied" for e in events)
        assert tidied == waited, "`finally` runs where its `try` began, whatever cut it, else not"
        if end.outcome == "succeeded":
            assert undone <= {"risky"}, "only what a handler took back is undone"

    def _events(self) -> list[Any]:
        return [recorded.event() for recorded in self.paper.log]


Machine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=16, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip
TestMachine = Machine.TestCase
