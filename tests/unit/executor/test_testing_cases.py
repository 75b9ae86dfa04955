"""The tests that a workflow carries: what passes, and what a failing one says."""

from typing import Any

from tests_support.simulating import URL, call, document, simulator

from services.executor.testing_cases import CaseResult, run_cases

TEXT = f"""
steps:
  - id: total
    set: {{amount: "${{{{ sum(input.lines) }}}}"}}
  - id: each
    for_each: ${{{{ input.lines }}}}
    as: line
    steps: [{call("post", "/${{ line }}")}]
output: {{amount: "${{{{ total.amount }}}}"}}
tests:
"""


async def results(tests: str, text: str = TEXT) -> list[CaseResult]:
    made = simulator()
    try:
        return await run_cases(made, document(text + tests))
    finally:
        await made.close()


def told(result: CaseResult) -> list[tuple[str, str, Any, Any]]:
    return [(d.pointer, d.rule, d.expected, d.got) for d in result.differences]


async def test_a_case_passes_when_all_that_it_names_is_so() -> None:
    (one,) = await results(f"""
  - name: two lines
    input: {{lines: [1, 2]}}
    mocks: {{post: {{status: 201}}}}
    expect:
      output: {{amount: 3}}
      steps: {{total: {{amount: 3}}, post: [{{status: 201}}, {{status: 201}}]}}
      effects:
        - {{step: post, with: {{url: "{URL}/1"}}}}
        - {{step: "post", path: "post[1]", attempts: 1}}
""")

    assert one.passed, told(one)
    assert one.outcome == "succeeded"


async def test_each_difference_says_where_what_was_expected_and_what_came() -> None:
    (one,) = await results("""
  - name: wrong
    input: {lines: [1]}
    mocks: {post: {status: 200}}
    expect: {output: {amount: 2}, steps: {post: [{status: 500}]}, effects: []}
""")

    assert told(one)[:2] == [
        ("/output/amount", "different", 2, 1), ("/steps/post/0/status", "different", 500, 200),
    ]  # fmt: skip
    assert told(one)[2][:2] == ("/effects/0", "unexpected")


async def test_an_effect_without_a_mock_fails_the_case() -> None:
    (one,) = await results("""
  - name: no mock
    input: {lines: [1]}
    expect: {outcome: failed}
""")

    assert [(d.rule, d.detail) for d in one.differences] == [
        ("stopped", "post[0]: nothing stands in for it: give `mocks.post`")
    ]


async def test_an_expected_error_is_compared_as_far_as_it_is_named() -> None:
    good, bad = await results("""
  - name: refused
    input: {lines: [1, 2]}
    mocks: {post: [{}, {error: {status: 404}}]}
    expect: {error: {type: client-error, step: post, path: "post[1]", status: 404}}
  - name: not refused
    input: {lines: []}
    expect: {error: {type: client-error}}
""")

    assert good.passed, told(good)
    assert told(bad) == [("/outcome", "different", "failed", "succeeded")]


async def test_the_failure_that_nobody_expected_is_told() -> None:
    (one,) = await results("""
  - name: fails
    input: {lines: [1]}
    mocks: {post: {error: {status: 404, message: gone}}}
    expect: {output: {amount: 1}}
""")

    assert one.differences[0].detail == "client-error at post[0]: gone"


async def test_the_input_is_checked_and_completed_by_its_schema() -> None:
    text = """
input:
  type: object
  required: [n]
  properties: {n: {type: integer}, m: {type: integer, default: 5}}
steps:
  - {id: a, set: {x: "${{ input.n + input.m }}"}}
output: ${{ a.x }}
tests:
"""
    good, bad = await results(
        """
  - {name: completed, input: {n: 1}, expect: {output: 6}}
  - {name: refused, input: {n: x}, expect: {output: 6}}
""",
        text,
    )

    assert good.passed, told(good)
    assert [d.pointer for d in bad.differences] == ["/input/n"]


async def test_variables_of_the_case_are_seen() -> None:
    (one,) = await results(
        "  - {name: v, vars: {place: here}, expect: {output: here}}\n",
        "steps:\n  - {id: a, set: {x: '${{ vars.place }}'}}\noutput: ${{ a.x }}\ntests:\n",
    )

    assert one.passed, told(one)


async def test_a_mock_stands_in_for_a_computed_step_too() -> None:
    (one,) = await results(
        "  - {name: m, mocks: {a: {x: 2}}, expect: {output: 2, steps: {a: {x: 2}}}}\n",
        "steps:\n  - {id: a, set: {x: 1}}\noutput: ${{ a.x }}\ntests:\n",
    )

    assert one.passed, told(one)
