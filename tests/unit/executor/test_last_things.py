"""`finally` of what is cut runs, once, also where nothing of it ran but was parked (§7.7)."""

import asyncio
from typing import Any

from tests_support.paper import Paper

from services.executor.contract import ExecutionFinished, ExecutionProgressed, WaitEnded
from services.executor.domain import Cancel, Ended, Going, Offer, Pause

URL = "http://x.example/"


def post(name: str) -> dict[str, Any]:
    return {"id": name, "uses": "http-request@1", "with": {"method": "POST", "url": URL + name}}


def nap(name: str = "nap") -> dict[str, Any]:
    return {"id": name, "wait": {"for": "1h"}}


def guarded(*steps: Any, last: Any = None, name: str = "guarded") -> dict[str, Any]:
    finally_ = {"steps": [post("last") if last is None else last]}
    return {"id": name, "try": {"steps": list(steps)}, "finally": finally_}


def paper(*steps: Any, kind: type[Paper] = Paper, **more: Any) -> Any:
    return kind({"troth": 1, "name": "paper", "steps": list(steps), **more})


def both(*left: Any, right: list[Any]) -> dict[str, Any]:
    return {"id": "both", "parallel": {"left": {"steps": list(left)}, "right": {"steps": right}}}


class Hanging(Paper):
    """The first call of `…/hang` never returns; `while_it_hangs` is told meanwhile."""

    while_it_hangs: Any = None
    hung = False

    async def call(
        self, run: Any, effect: Any, request: Any, key: str, attempt: int, secrets: Any
    ) -> Any:
        if self.hung or not str(request["url"]).endswith("/hang"):
            return await super().call(run, effect, request, key, attempt, secrets)
        self.hung = True
        if self.while_it_hangs is not None:
            self.tell(self.while_it_hangs)
            self.heard = asyncio.create_task(run.heard())
        if isinstance(self.while_it_hangs, Pause):
            return await super().call(run, effect, request, key, attempt, secrets)
        return await asyncio.sleep(60)


async def carried(made: Paper) -> list[str]:
    """The calls that this carrying makes, in order."""
    before = len(made.sent)
    await asyncio.wait_for(made.carry(), 20)
    return [url.removeprefix(URL) for _, url in made.sent[before:]]


def outcome(made: Paper) -> str:
    assert isinstance(made.state, Ended)
    return made.state.finished.outcome


async def test_a_branch_that_is_parked_runs_its_finally_when_its_sibling_fails() -> None:
    made = paper(both(post("a"), guarded(nap()), right=[post("bad")]))
    made.answers = ["ok", "400"]

    assert await carried(made) == ["a", "bad", "last"]
    assert outcome(made) == "failed"
    ends = [e for e in (one.event() for one in made.log) if isinstance(e, WaitEnded)]
    assert [(e.path, e.reason) for e in ends] == [("nap", "cancelled")]


async def test_it_runs_when_the_branch_was_parked_by_another_process() -> None:
    soon = {"id": "soon", "wait": {"for": "1m"}}
    made = paper(both(guarded({"id": "x", "set": {"n": 1}}, nap()), right=[soon, post("bad")]))
    assert await carried(made) == []
    made.tick()
    made.answers = ["400"]

    assert await carried(made) == ["bad", "last"]
    assert outcome(made) == "failed"


async def test_an_item_that_is_parked_runs_its_finally_and_one_that_never_began_does_not() -> None:
    made = paper({
        "id": "each", "for_each": "${{ [0, 1, 2, 3] }}", "as": "n", "concurrency": 3,
        "steps": [{"id": "c", "choose": [{"when": "${{ n == 1 }}", "steps": [post("bad")]}]},
                  guarded(nap())],
    })  # fmt: skip
    made.answers = ["400"]

    assert await carried(made) == ["bad", "last", "last"]
    keys = [key.partition(":")[2] for key, url in made.sent if url.endswith("last")]
    assert sorted(keys) == ["last[0]", "last[2]"]


async def test_what_is_parked_deep_in_a_branch_that_runs_is_put_in_order_too() -> None:
    inner = {"id": "inner", "parallel": {
        "one": {"steps": [guarded(nap())]}, "two": {"steps": [post("hang")]},
    }}  # fmt: skip
    made = paper(both(inner, right=[post("ok"), post("bad")]), kind=Hanging)
    made.answers = ["ok", "400"]

    assert (await carried(made))[-1] == "last"
    assert outcome(made) == "failed"


async def test_a_finally_in_which_the_process_died_goes_on_with_what_it_has_not_done() -> None:
    last = both(post("first"), right=[post("second")]) | {"id": "lasts"}
    made = paper(both(guarded(nap(), last=last), right=[post("bad")]))
    made.answers = ["400", "ok", "crash"]
    await carried(made)
    assert isinstance(made.state, Going)

    again = await carried(made)

    assert again == ["second"], "what was done is not done again, what was cut is sent once more"
    assert outcome(made) == "failed"


async def test_a_cancel_of_what_is_parked_runs_the_finally_of_every_item_that_had_begun() -> None:
    made = paper({
        "id": "each", "for_each": "${{ range(6) }}", "as": "n", "concurrency": 2,
        "steps": [{"id": "c", "choose": [{"when": "${{ n > 1 }}", "steps": [guarded(nap())]}]}],
    })  # fmt: skip
    assert await carried(made) == []
    made.tell(Cancel(rollback=False, reason=None))

    assert await carried(made) == ["last", "last"]
    assert outcome(made) == "cancelled"


async def test_a_cancel_in_the_middle_of_one_branch_reaches_one_that_is_parked() -> None:
    made = paper(both(guarded(nap()), right=[post("hang")]), kind=Hanging)
    made.while_it_hangs = Cancel(rollback=False, reason=None)

    assert await carried(made) == ["last"]
    assert outcome(made) == "cancelled"


async def test_a_limit_of_time_in_the_middle_of_one_branch_reaches_one_that_is_parked() -> None:
    made = paper(both(guarded(nap()), right=[post("hang")]), kind=Hanging, timeout="200ms")

    assert await carried(made) == ["last"]
    assert made.state.finished.error.type == "timeout"


async def test_a_finally_that_a_cancel_meets_at_work_goes_on_to_its_end() -> None:
    last = {"id": "tidy", "choose": [
        {"when": "${{ true }}", "steps": [post("hang"), post("rest")]}]}  # fmt: skip
    inner = guarded(post("a"), last=last)
    made = paper(guarded(inner, name="outer", last=post("after")), kind=Hanging)
    made.while_it_hangs = Cancel(rollback=False, reason=None)

    assert await carried(made) == ["a", "hang", "rest", "after"]
    assert outcome(made) == "cancelled"


async def test_of_a_try_that_never_began_nothing_is_put_in_order() -> None:
    made = paper(post("hang"), guarded(post("a")), kind=Hanging)
    made.while_it_hangs = Pause(None)
    assert await carried(made) == ["hang"]
    made.tell(Cancel(rollback=False, reason=None))

    assert await carried(made) == []
    assert outcome(made) == "cancelled"


class Told(Paper):
    """Somebody writes into the stream just before the first commit that would park it."""

    told = False

    async def commit(self, decision: Any) -> Any:
        if self.log and decision.op == "keep" and not decision.lease_s and not self.told:
            self.told = True
            self.tell(Offer("evt_1", "custom.paid"))
        return await super().commit(decision)


async def test_a_walk_that_begins_anew_at_news_records_no_result_twice() -> None:
    made = paper({"id": "x", "set": {"n": 1}}, post("a"), {"id": "y", "set": {"n": 2}},
                 nap(), kind=Told)  # fmt: skip
    await carried(made)
    made.tick()
    await carried(made)

    events = [one.event() for one in made.log]
    assert made.told
    facts = [e for e in events if isinstance(e, ExecutionProgressed | ExecutionFinished)]
    paths = [result.path for fact in facts for result in fact.results]
    assert sorted(paths) == ["nap", "x", "y"]
