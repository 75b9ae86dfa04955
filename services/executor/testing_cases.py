"""The tests that a workflow carries: each case is simulated, and what came is compared."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from libs.common import ids
from libs.language.document import Document, TestCase
from libs.language.schema import compile_schema, validate_input
from services.executor.differences import DIFFERENCES_MAX, Difference, differences
from services.executor.mocks import CaseMocks
from services.executor.outline import steps_of
from services.executor.paths import place_of
from services.executor.simulate import Simulator, names_for
from services.executor.simulation import Asked, Simulation

CASES_MAX = 50
CASE_S = 2.0
ALL_S = 25.0
AT = datetime(2026, 1, 1, tzinfo=UTC)  # every case begins at this instant


@dataclass(frozen=True, slots=True)
class CaseResult:
    name: str
    differences: list[Difference] = field(default_factory=list)
    outcome: str | None = None
    duration_ms: int = 0

    @property
    def passed(self) -> bool:
        return not self.differences


async def run_cases(simulator: Simulator, document: Document) -> list[CaseResult]:
    """One result for each case, in their order; a case that can't run any more says so."""
    began, results = time.monotonic(), []
    for number, case in enumerate(document.tests):
        if number >= CASES_MAX:
            results.append(_not_run(case, "too-many", f"at most {CASES_MAX} tests are run"))
        elif time.monotonic() - began > ALL_S:
            results.append(_not_run(case, "too-slow", f"the tests took longer than {ALL_S:g} s"))
        else:
            results.append(await run_case(simulator, document, case))
    return results


def _not_run(case: TestCase, rule: str, detail: str) -> CaseResult:
    return CaseResult(case.name, [Difference("", rule, detail=detail)])


async def run_case(simulator: Simulator, document: Document, case: TestCase) -> CaseResult:
    began = time.monotonic()
    given, problems = case.input, []
    if document.input_schema is not None:
        given, found = validate_input(
            compile_schema(document.input_schema), _whole(document, given)
        )
        given = given["items"][0] if _gathers(document) and not found else given
        problems = [
            Difference(f"/input{p.pointer}", "input-invalid", detail=p.detail) for p in found
        ]
    if problems:
        return CaseResult(case.name, problems[:DIFFERENCES_MAX])
    execution = ids.derived("exe", "test", document.name, case.name)
    names = names_for(document, given, case.vars, AT, execution)
    came = await simulator.run(document, names, CaseMocks(case.mocks), budget_s=CASE_S)
    wrong = list(islice(compared(document, case, came), DIFFERENCES_MAX))
    took = int((time.monotonic() - began) * 1000)
    return CaseResult(case.name, wrong, came.outcome, took)


def _gathers(document: Document) -> bool:
    return document.debounce is not None and document.debounce.collect


def _whole(document: Document, given: Any) -> Any:
    return {"items": [given]} if _gathers(document) else given


def compared(document: Document, case: TestCase, came: Simulation) -> Iterator[Difference]:
    """What is not as expected. What is not named is not compared, but that it ends well."""
    expect = case.expect
    if came.stopped is not None:
        yield Difference("", "stopped", detail=came.stopped)
        return
    outcome = expect.get("outcome", "failed" if "error" in expect else "succeeded")
    if came.outcome != outcome:
        yield Difference("/outcome", "different", outcome, came.outcome, _why(came))
    if "output" in expect and came.outcome == "succeeded":
        yield from differences(expect["output"], came.output, "/output")
    if "error" in expect and came.error is not None:
        yield from differences(expect["error"], came.error, "/error", partly=True)
    yield from _steps(document, expect.get("steps", {}), came)
    if "effects" in expect:
        yield from _effects(expect["effects"], came)


def _why(came: Simulation) -> str:
    if came.error is None:
        return ""
    where = f" at {came.error['path']}" if came.error.get("path") else ""
    return f"{came.error['type']}{where}: {came.error['message']}"[:1000]


def _steps(document: Document, expected: dict[str, Any], came: Simulation) -> Iterator[Difference]:
    known = steps_of(document)
    for name, value in expected.items():
        if name not in known:
            continue
        found = result_of(name, came.values)
        if found is None:
            yield Difference(f"/steps/{name}", "missing", value, detail="the step did not run")
        else:
            yield from differences(value, found[0], f"/steps/{name}")


def result_of(name: str, values: dict[str, Any]) -> tuple[Any] | None:
    """A step's result; of a step in loops the results by item, null where it did not run."""
    if name in values:
        return (values[name],)
    items = {p.numbers: value for path, value in values.items()
             if (p := place_of(path)).id == name}  # fmt: skip
    return (_nested(items),) if items else None


def _nested(items: dict[tuple[int, ...], Any]) -> Any:
    if () in items:
        return items[()]
    most = max(numbers[0] for numbers in items)
    rows: list[dict[tuple[int, ...], Any]] = [{} for _ in range(most + 1)]
    for numbers, value in items.items():
        rows[numbers[0]][numbers[1:]] = value
    return [_nested(row) if row else None for row in rows]


def _effects(expected: Sequence[Any], came: Simulation) -> Iterator[Difference]:
    """Expected effects come in this order and are all; of each what is named is compared."""
    asked = effects_of(came)
    for number, want in enumerate(expected):
        at = f"/effects/{number}"
        if number >= len(asked):
            yield Difference(at, "missing", want)
            continue
        got = asked[number]
        step = got["path"] if "[" in want.get("step", "") else got["step"]
        yield from differences(
            {"undo": False} | want, got | {"step": step}, at, partly=True
        )  # fmt: skip
    for number in range(len(expected), len(asked)):
        yield Difference(f"/effects/{number}", "unexpected", got=asked[number])


def effects_of(came: Simulation) -> list[dict[str, Any]]:
    """What was asked of the world in its order, each thing once, with its attempts."""
    found: dict[tuple[str, bool], dict[str, Any]] = {}
    for one in came.asked:
        known = found.get((one.path, one.undo))
        if known is not None:
            known["attempts"] += 1
        else:
            found[one.path, one.undo] = _effect(one)
    return list(found.values())


def _effect(one: Asked) -> dict[str, Any]:
    return {
        "step": one.step, "path": one.path, "connector": one.connector, "with": one.request,
        "attempts": 1, "undo": one.undo,
    }  # fmt: skip
