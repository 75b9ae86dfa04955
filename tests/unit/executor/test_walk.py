"""The walk over a document: what was recorded is taken, what was not is done, once and in order."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.language import ExpressionWorker, format_rfc3339
from libs.language.check import parse
from libs.language.steps import WaitStep
from services.executor.failure import StepFailed
from services.executor.host import MISSING, STAGE, Cut, Parked, pure
from services.executor.walk import Walk

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Paper:
    """A host that keeps notes; effects and waits answer from tables."""

    def __init__(self, known: dict[str, Any] | None = None) -> None:
        self.known = known or {}
        self.noted: list[tuple[str, str, Any]] = []
        self.effects: list[str] = []
        self.waits: dict[str, datetime] = {}
        self.failing: dict[str, StepFailed] = {}
        self.pages: dict[str, Any] = {}
        self.undone: list[Any] = []
        self.dropped: list[Any] = []
        self.cut = False
        self.at_once = self.most = 0
        self._worker = ExpressionWorker()

    def recorded(self, path: str) -> Any:
        return self.known.get(path, MISSING)

    def now(self) -> datetime:
        return NOW

    async def evaluate(self, what: Any, scope: Any, clock: datetime) -> Any:
        return await self._worker.evaluate(what, scope, format_rfc3339(clock))

    async def note(self, path: str, kind: str, since: datetime, value: Any) -> None:
        self.noted.append((path, kind, value))

    holding = True

    def begun(self, within: Any) -> bool:
        return True

    async def catch_up(self) -> None:
        self.known |= {path: value for path, _, value in self.noted}

    def may_begin(self) -> None:
        if self.cut and STAGE.get() != "last-things":
            raise Cut

    async def page(self, pages: Any, path: str, scope: Any) -> Any:
        if path in self.known:
            return self.known[path]
        self.effects.append(path)
        return self.pages[path]

    async def undo(self, within: Any) -> None:
        self.undone.append(within)

    def drop(self, within: Any) -> None:
        self.dropped.append(within)

    async def act(self, step: Any, path: str, scope: Any) -> Any:
        if isinstance(step, WaitStep):
            raise Parked(self.waits.get(path, NOW + timedelta(days=30)))
        self.effects.append(path)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if path in self.failing:
            raise self.failing[path]
        return {"status": 200, "json": {"path": path}}


def document(steps: list[Any], output: Any = None) -> Any:
    body: dict[str, Any] = {"troth": 1, "name": "walked", "steps": steps}
    return parse(body if output is None else body | {"output": output})


def post(name: str = "post") -> dict[str, Any]:
    return {"id": name, "uses": "http-request@1",
            "with": {"method": "POST", "url": "https://example.com/"}}  # fmt: skip


async def walk(host: Paper, made: Any, names: dict[str, Any] | None = None) -> Any:
    return await Walk(host).block(made.block, names or {"input": {}}, "")


async def test_a_block_without_output_gives_its_steps_results_by_id() -> None:
    made = document([
        {"id": "a", "set": {"n": "${{ input.n + 1 }}"}},
        {"id": "b", "set": {"m": "${{ a.n * 2 }}"}},
    ])  # fmt: skip

    assert await walk(Paper(), made, {"input": {"n": 2}}) == {"a": {"n": 3}, "b": {"m": 6}}


async def test_a_recorded_result_is_not_computed_again() -> None:
    made = document([{"id": "a", "set": {"n": "${{ 1 // 0 }}"}}], "${{ a.n }}")
    host = Paper({"a": {"n": 7}})

    assert await walk(host, made) == 7
    assert host.noted == []


async def test_the_first_true_branch_is_taken_and_the_others_are_not_evaluated() -> None:
    made = document([{
        "id": "c", "choose": [
            {"when": "${{ false }}", "steps": [], "output": "no"},
            {"when": "${{ true }}", "steps": [post()], "output": "yes"},
            {"when": "${{ 1 // 0 == 1 }}", "steps": []},
        ],
    }])  # fmt: skip
    host = Paper()

    assert await walk(host, made) == {"c": "yes"}
    assert ("c#branch", "branch", 1) in host.noted


async def test_a_branch_chosen_before_is_taken_again_after_a_crash() -> None:
    made = document([{
        "id": "c",
        "choose": [{"when": "${{ input.late }}", "steps": [post()], "output": "first"}],
        "else": {"steps": [post("other")], "output": "other"},
    }])  # fmt: skip
    host = Paper({"c#branch": 0})

    assert await walk(host, made, {"input": {"late": False}}) == {"c": "first"}
    assert host.effects == ["post"]


async def test_a_condition_that_is_no_boolean_fails_the_step() -> None:
    made = document([{"id": "c", "choose": [{"when": "${{ 1 }}", "steps": []}]}])

    with pytest.raises(StepFailed) as failed:
        await walk(Paper(), made)

    assert (failed.value.type, failed.value.path) == ("expression-type", "c")


def each(steps: list[Any], **more: Any) -> dict[str, Any]:
    return {"id": "each", "for_each": "${{ input }}", "as": "one", "steps": steps, **more}


async def test_items_keep_their_order_and_their_paths() -> None:
    made = document([each([post()], concurrency=3, output="${{ post.json.path }}")])
    host = Paper()

    found = await walk(host, made, {"input": [1, 2, 3, 4, 5]})

    assert found == {"each": [f"post[{n}]" for n in range(5)]}
    assert host.most <= 3


async def test_an_item_done_before_a_crash_is_not_done_again() -> None:
    made = document([each([post()], concurrency=2, output="${{ post.status }}")])
    host = Paper({"each": [1, 2, 3], "each[0]": 200, "each[2]": 201})

    assert await walk(host, made) == {"each": [200, 200, 201]}
    assert host.effects == ["post[1]"]


async def test_the_first_failure_stops_what_has_not_begun() -> None:
    made = document([each([post()])])
    host = Paper()
    host.failing["post[1]"] = StepFailed("server-error", "status 500", "post[1]", 3, 500)

    with pytest.raises(StepFailed):
        await walk(host, made, {"input": [1, 2, 3]})

    assert host.effects == ["post[0]", "post[1]"]


async def test_collected_failures_stand_among_the_values() -> None:
    made = document([each([post()], failures="collect", concurrency=2, output="${{ one }}")])
    host = Paper()
    host.failing["post[1]"] = StepFailed("server-error", "status 500", "post[1]", 3, 500)

    found = (await walk(host, made, {"input": [1, 2, 3]}))["each"]

    assert [item["ok"] for item in found] == [True, False, True]
    assert found[1]["error"]["status"] == 500


async def test_a_wait_in_one_item_lets_the_others_go_on_and_names_the_earliest_time() -> None:
    steps = [{"id": "pause", "wait": {"for": "1h"}}, post()]
    made = document([each(steps, concurrency=2)])
    host = Paper({"pause[1]": {"reason": "due"}})
    host.waits["pause[0]"] = NOW + timedelta(hours=2)
    host.waits["pause[2]"] = NOW + timedelta(hours=1)

    with pytest.raises(Parked) as parked:
        await walk(host, made, {"input": [1, 2, 3]})

    assert parked.value.due == NOW + timedelta(hours=1)
    assert host.effects == ["post[1]"]


async def test_nested_loops_number_from_outside_to_inside() -> None:
    inner = {"id": "inner", "for_each": "${{ one }}", "as": "cell", "steps": [post()]}
    made = document([each([inner])])
    host = Paper()

    await walk(host, made, {"input": [[1], [2, 3]]})

    assert host.effects == ["post[0][0]", "post[1][0]", "post[1][1]"]


def test_pure_blocks_are_known() -> None:
    assert pure(document([each([{"id": "a", "set": {"n": 1}}])]).block)
    assert not pure(document([each([post()])]).block)
