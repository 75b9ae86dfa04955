"""Reading a step that did not run says why it did not: which branch was taken instead."""

from typing import Any

import pytest

from libs.language import ExpressionError, ExpressionWorker, compile_expression, compile_value
from libs.language.check import parse
from libs.language.unrun import explained

NOW = "2026-01-02T03:04:05Z"


def step(name: str) -> dict[str, Any]:
    return {"id": name, "set": {"x": 1}}


def choosing(*branches: list[Any], otherwise: Any = None, output: Any = None) -> Any:
    """A document whose step `route` chooses among branches of steps; `output` is of the last."""
    chosen: list[dict[str, Any]] = [
        {"when": "${{ input.a }}", "steps": steps} for steps in branches
    ]
    if output is not None:
        chosen[-1]["output"] = output
    route: dict[str, Any] = {"id": "route", "choose": chosen}
    if otherwise is not None:
        route["else"] = {"steps": otherwise}
    return parse({"troth": 1, "name": "routed", "steps": [route]}).block


TWO = choosing([step("ok")], [step("late"), step("told")])
TAKEN_2 = {"late": {"x": 1}, "told": {"x": 1}}


def why(block: Any, text: str, route: Any, **scope: Any) -> str:
    expression, names = compile_expression(text), {"route": route, **scope}
    with pytest.raises(ExpressionError) as missing:
        expression.evaluate(names, NOW)
    return str(explained(missing.value, expression, block, names))


def test_the_branch_that_was_taken_is_named() -> None:
    said = "missing-key: step ok did not run: branch 2 was taken (column 7)"
    assert why(TWO, "route.ok", TAKEN_2) == said
    assert why(TWO, 'route["ok"].x + 1', TAKEN_2) == said
    assert "step told did not run: branch 1 was taken" in why(TWO, "route.told", {"ok": {"x": 1}})


def test_the_else_branch_and_no_branch_are_named() -> None:
    both = choosing([step("ok")], otherwise=[step("other")])
    assert "step ok did not run: the else branch was taken" in why(
        both, "route.ok.x", {"other": {"x": 1}}
    )
    assert "step ok did not run: no branch was taken" in why(TWO, "route.ok", {})


def test_a_branch_with_an_output_is_known_when_it_is_the_only_one_that_can_have_given_it() -> None:
    block = choosing([step("ok")], [step("late")], output={"sum": 1})
    assert "step ok did not run: branch 2 was taken" in why(block, "route.ok", {"sum": 1})
    assert "step ok did not run: another branch was taken, or none" in why(block, "route.ok", {})


def test_a_choose_inside_a_branch_is_followed() -> None:
    inner = {
        "id": "inner",
        "choose": [
            {"when": "${{ input.a }}", "steps": [step("deep")]},
            {"when": "${{ input.a }}", "steps": [step("flat")]},
        ],
    }
    value = {"inner": {"flat": {"x": 1}}}
    said = why(choosing([inner], [step("ok")]), "route.inner.deep", value)
    assert said == "missing-key: step deep did not run: branch 2 was taken (column 13)"


def test_a_step_inside_a_loop_is_found_too() -> None:
    route = {"id": "route", "choose": [{"when": "${{ one }}", "steps": [step("ok")]}]}
    loop = {"id": "each", "for_each": "${{ input }}", "as": "one", "steps": [route]}
    block = parse({"troth": 1, "name": "looped", "steps": [loop]}).block
    assert "step ok did not run: no branch was taken" in why(block, "route.ok", {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("route.nothing", 'no key "nothing": there are late, told'),  # no step at all
        ("route.late.ok", 'no key "ok": there are x'),  # a key of a step that ran
        ("input.ok", 'no key "ok": there are a'),  # data that is named like a step
        ("[r.ok for r in [route]]", 'no key "ok": there are late, told'),  # not followed
    ],
)
def test_what_is_no_such_step_says_what_it_said(text: str, said: str) -> None:
    assert said in why(TWO, text, TAKEN_2, input={"a": True})


async def test_a_value_and_the_worker_process_say_the_same() -> None:
    value = compile_value({"a": ["${{ 1 }} and ${{ route.ok.x }}"]}, "/with")
    scope = {"route": TAKEN_2}
    worker = ExpressionWorker()
    try:
        for evaluate in (worker.evaluate, worker.evaluate_apart):
            with pytest.raises(ExpressionError) as missing:
                await evaluate(value, scope, NOW)
            error = explained(missing.value, value, TWO, scope)
            assert error.message == "step ok did not run: branch 2 was taken"
            assert error.where == "/with/a/0"
    finally:
        await worker.close()
