"""The checker at its limits: counts, depths, and documents that are made to cost much."""

import json
import time

import pytest

from libs.language.check import Checked, Problem, check
from libs.language.source import SourceError, read_document


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, problems
    return problems[0]


def rules(found: Checked) -> set[str]:
    return {problem.rule for problem in found.problems}


def test_500_steps_pass_and_501_do_not():
    steps = [{"id": f"s{n}", "set": {"x": n}} for n in range(501)]
    inner = {"id": "all", "for_each": "${{ [1] }}", "as": "one", "steps": steps[:499]}
    good = {"troth": 1, "name": "a", "steps": [inner]}
    bad = {"troth": 1, "name": "a", "steps": [{**inner, "steps": steps[:500]}]}

    assert check(read_document(json.dumps(good), "json")).document is not None
    assert rules(check(read_document(json.dumps(bad), "json"))) == {"too-many-steps"}


def nested(depth: int) -> str:
    block: dict = {"steps": [{"id": "s1", "set": {"x": 1}}]}
    for level in range(2, depth + 1):
        step = {"id": f"s{level}", "for_each": "${{ [1] }}", "as": f"v{level}", **block}
        block = {"steps": [step]}
    return json.dumps({"troth": 1, "name": "a", **block})


def test_blocks_may_be_10_deep_and_not_11():
    assert check(read_document(nested(10), "json")).document is not None
    assert rules(check(read_document(nested(11), "json"))) == {"too-deep"}


def test_a_value_may_be_40_deep():
    def text(depth: int) -> str:
        return "troth: 1\nname: a\nsteps:\n- id: a\n  set: {x: " + "[" * depth + "]" * depth + "}\n"

    assert check(read_document(text(36), "yaml")).document is not None
    with pytest.raises(SourceError, match="deeper than 40"):
        read_document(text(37), "yaml")


HOSTILE = {
    "thousands of expressions in one text": "x: '" + "${{input.a}}" * 20_000 + "'",
    "thousands of unknown names": "x: ['"
    + "','".join(f"${{{{n{n}}}}}" for n in range(12_000))
    + "']",
    "thousands of unknown keys": ", ".join(f"'${{{{ k{n} }}}}': 1" for n in range(8_000)),
    "one very long name": "x: '${{ " + "a" * 3000 + " }}'",
    "thousands of openings": "x: '" + "${{" * 60_000 + "'",
    "many quotes in an expression": "x: '${{ " + '"' * 50_001 + " }}'",
}


@pytest.mark.parametrize("inner", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_document_is_answered_with_few_problems_in_a_moment(inner):
    text = f"troth: 1\nname: a\nsteps:\n- {{id: a, set: {{{inner}}}}}\n"
    begin = time.process_time()

    found = check(read_document(text, "yaml"))

    assert len(found.problems) <= 50
    assert sum(len(json.dumps(each.as_dict())) for each in found.problems) < 100_000
    assert time.process_time() - begin < 20  # some take a second; what is quadratic takes hours


def test_the_pointer_of_a_problem_below_a_very_long_key_stays_short():
    value = {"troth": 1, "name": "a", "steps": [{"id": "s", "set": {"k" * 200_000: "${{ no }}"}}]}

    problem = only(check(read_document(json.dumps(value), "json")).problems)

    assert problem.pointer == "/steps/0/set"


def test_alternatives_that_double_at_each_step_end_as_unknown():
    steps = [{"id": "s0", "set": {"x": 1}}]
    for n in range(1, 60):
        output = {"output": {"x": f"${{{{ s{n - 1} }}}}"}, "steps": []}
        branches = [{"when": "${{ true }}", **output}] * 2
        steps.append({"id": f"s{n}", "choose": branches, "else": output})
    steps.append({"id": "last", "set": {"y": "${{ s59" + ".x" * 59 + ".nope }}"}})
    text = json.dumps({"troth": 1, "name": "a", "steps": steps})
    begin = time.process_time()

    check(read_document(text, "json"))

    assert time.process_time() - begin < 20
