"""Scopes and shapes of parallel, try, undo and pages: rows of section 11, and what they refuse."""

import textwrap

import pytest

from libs.language.check import Checked
from tests.unit.language.judging import judged, rules, warned

HEAD = """\
troth: 1
name: case
input:
  type: object
  additionalProperties: false
  properties: {name: {type: string}, list: {type: array}}
"""


def checked(steps: str, rest: str = "") -> Checked:
    return judged(f"{HEAD}{rest}steps:\n{textwrap.indent(textwrap.dedent(steps), '  ')}")


def call(more: str = "") -> str:
    return f"uses: http-request@1, with: {{url: 'https://a.example'{more}}}"


READS_OWN = ", text: '${{ a.json.id }}'"
SET = "{id: one, set: {x: 1}}"
CASES: list[tuple[str, str, set[str]]] = [
    (
        "a sibling branch's id in parallel",
        """\
        - id: both
          parallel:
            a: {steps: [{id: one, set: {x: 1}}]}
            b: {steps: [{id: two, set: {x: "${{ one.x }}"}}]}
        """,
        {"unknown-name"},
    ),
    (
        "a branch's value by its name",
        """\
        - id: both
          parallel:
            a: {steps: [{id: one, set: {x: 1}}]}
            b: {steps: [{id: two, set: {x: 1}}], output: {y: 1}}
        - {id: after, set: {z: "${{ [both.a.one.x, both.b.y] }}"}}
        """,
        set(),
    ),
    (
        "a branch that is not there",
        """\
        - {id: both, parallel: {a: {steps: []}}}
        - {id: after, set: {z: "${{ both.b }}"}}
        """,
        {"unknown-key"},
    ),
    (
        "what a collected branch gives",
        """\
        - {id: both, parallel: {a: {steps: [], output: {y: 1}}}, failures: collect}
        - {id: after, set: {z: "${{ both.a.value.y if both.a.ok else both.a.error.message }}"}}
        """,
        set(),
    ),
    (
        "a collected branch without its wrapping",
        """\
        - {id: both, parallel: {a: {steps: [], output: {y: 1}}}, failures: collect}
        - {id: after, set: {z: "${{ both.a.y }}"}}
        """,
        {"unknown-key"},
    ),
    ("the same id in two branches of parallel",
     f"- {{id: both, parallel: {{a: {{steps: [{SET}]}}, b: {{steps: [{SET}]}}}}}}", {"id-taken"}),
    ("parallel without branches", "- {id: a, parallel: {}}", {"block-shape"}),
    ("parallel as a list", "- {id: a, parallel: [{steps: []}]}", {"block-shape"}),
    ("a branch that is no block", "- {id: a, parallel: {b: []}}", {"wrong-type"}),
    ("a branch with another key", "- {id: a, parallel: {b: {steps: [], when: x}}}",
     {"unknown-key"}),
    ("a branch's name", "- {id: a, parallel: {B-c: {steps: []}}}", {"bad-name"}),
    ("an expression as a branch's name", "- {id: a, parallel: {'${{ x }}': {steps: []}}}",
     {"expression-in-key"}),
    ("failures of parallel", "- {id: a, parallel: {b: {steps: []}}, failures: colect}",
     {"not-one-of"}),
    (
        "a step of try in catch",
        f"""\
        - id: safe
          try: {{steps: [{SET}]}}
          catch: [{{steps: [{{id: two, set: {{x: "${{{{ one.x }}}}"}}}}]}}]
        """,
        {"unknown-name"},
    ),
    (
        "a step of try in finally",
        f"""\
        - id: safe
          try: {{steps: [{SET}]}}
          finally: {{steps: [{{id: two, set: {{x: "${{{{ one.x }}}}"}}}}]}}
        """,
        {"unknown-name"},
    ),
    (
        "error in catch",
        """\
        - id: safe
          try: {steps: []}
          catch:
            - on: [timeout, expression, expression-type]
              undo: false
              steps: [{id: one, set: {x: "${{ [error.type, error.step, error.attempts] }}"}}]
              output: {why: "${{ error.message }}"}
        - {id: after, set: {y: "${{ safe.why }}"}}
        """,
        set(),
    ),
    (
        "error in finally",
        """\
        - id: safe
          try: {steps: []}
          finally: {steps: [{id: one, set: {x: "${{ error.type }}"}}]}
        """,
        {"unknown-name"},
    ),
    ("a key that errors have not",
     '- {id: a, try: {steps: []}, catch: [{steps: [], output: "${{ error.mesage }}"}]}',
     {"unknown-key"}),
    ("output in finally", "- {id: a, try: {steps: []}, finally: {steps: [], output: 1}}",
     {"finally-output"}),
    ("the same id in try and catch",
     f"- {{id: a, try: {{steps: [{SET}]}}, catch: [{{steps: [{SET}]}}]}}", {"id-taken"}),
    ("try alone is a scope of undo", "- {id: a, try: {steps: []}}", set()),
    ("try as a list", "- {id: a, try: []}", {"wrong-type"}),
    ("catch as one handler", "- {id: a, try: {steps: []}, catch: {steps: []}}", {"block-shape"}),
    ("a handler that is none", "- {id: a, try: {steps: []}, catch: [1]}", {"block-shape"}),
    ("a handler without steps", "- {id: a, try: {steps: []}, catch: [{on: [timeout]}]}",
     {"block-shape"}),
    ("a handler of no error", "- {id: a, try: {steps: []}, catch: [{on: [], steps: []}]}",
     {"too-few"}),
    ("a handler of an unknown error",
     "- {id: a, try: {steps: []}, catch: [{on: [time-out], steps: []}]}", {"not-one-of"}),
    ("a handler of a cancellation",
     "- {id: a, try: {steps: []}, catch: [{on: [cancelled], steps: []}]}", {"not-one-of"}),
    ("a handler of one text", "- {id: a, try: {steps: []}, catch: [{on: timeout, steps: []}]}",
     {"wrong-type"}),
    ("a handler of a computed error",
     "- {id: a, try: {steps: []}, catch: [{on: ['${{ x }}'], steps: []}]}",
     {"expression-not-here"}),
    ("undo of a handler", "- {id: a, try: {steps: []}, catch: [{undo: never, steps: []}]}",
     {"wrong-type"}),
    (
        "an undo that reads its own step",
        f"- {{id: a, {call()}, undo: {{{call(READS_OWN)}}}}}",
        set(),
    ),
    ("an undo of a key that the result has not",
     f"- {{id: a, {call()}, undo: {{{call(', json: {}')}, timeout: 5s, retry: {{attempts: 9}}}}}}",
     set()),
    ("an undo of its undo", f"- {{id: a, {call()}, undo: {{{call()}, undo: {{{call()}}}}}}}",
     {"unknown-key"}),
    ("an undo without a connector", f"- {{id: a, {call()}, undo: {{}}}}", {"key-missing"}),
    ("an undo without version", f"- {{id: a, {call()}, undo: {{uses: http-request}}}}",
     {"version-missing"}),
    ("an undo that pauses for a person",
     f"- {{id: a, {call()}, undo: {{{call()}, retry: {{then: pause}}}}}}", {"not-one-of"}),
    ("a step that pauses for a person", f"- {{id: a, {call()}, retry: {{then: pause}}}}", set()),
    ("a secret in undo",
     f"- {{id: a, {call()}, undo: {{uses: http-request@1, with: {{url: '${{{{ secret.a }}}}'}}}}}}",
     set()),
    (
        "page in with, items and next",
        """\
        - id: all
          for_each:
            uses: http-request@1
            with: {url: "https://a.example", query: {at: "${{ '' if page == null else 'x' }}"}}
            items: ${{ page.json.rows }}
            next: ${{ page.json.next }}
            limit: 500
          as: row
          steps: [{id: one, set: {x: "${{ row.id }}"}}]
        """,
        set(),
    ),
    (
        "page in the steps",
        f"""\
        - id: all
          for_each: {{{call()}, items: "${{{{ page.json }}}}", next: "${{{{ null }}}}"}}
          as: row
          steps: [{{id: one, set: {{x: "${{{{ page.json }}}}"}}}}]
        """,
        {"unknown-name"},
    ),
    ("a key that the page has not",
     f"- {{id: a, for_each: {{{call()}, items: '${{{{ page.rows }}}}', next: '${{{{ null }}}}'}},"
     " as: x, steps: []}", {"unknown-key"}),
    ("pages without items and next", f"- {{id: a, for_each: {{{call()}}}, as: x, steps: []}}",
     {"key-missing"}),
    ("pages whose items are no expression",
     f"- {{id: a, for_each: {{{call()}, items: rows, next: '${{{{ null }}}}'}}, as: x, steps: []}}",
     {"expression-expected"}),
    ("pages without limit of sense",
     f"- {{id: a, for_each: {{{call()}, items: '${{{{ page }}}}', next: '${{{{ null }}}}',"
     " limit: 0}, as: x, steps: []}", {"out-of-range"}),
    ("pages with a key of no sense",
     f"- {{id: a, for_each: {{{call()}, items: '${{{{ page }}}}', nxt: '${{{{ null }}}}'}},"
     " as: x, steps: []}", {"unknown-key", "key-missing"}),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "broken"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_each_case_of_the_blocks_has_its_answer(steps: str, broken: set[str]):
    found = checked(steps)

    assert rules(found) == broken, found.problems
    assert (found.document is None) == bool(broken)
    assert all(problem.line for problem in found.problems)


ON_ERROR: list[tuple[str, set[str]]] = [
    ("{steps: [{id: tell, set: {x: '${{ [error.message, input.name, execution.id] }}'}}]}", set()),
    ("{steps: [{id: tell, set: {x: '${{ first.x }}'}}]}", {"unknown-name"}),
    ("{steps: [{id: first, set: {x: 1}}]}", {"id-taken"}),
    ("{steps: [], when: x}", {"unknown-key"}),
    ("[]", {"wrong-type"}),
    ("{}", {"block-shape"}),
]


@pytest.mark.parametrize(("block", "broken"), ON_ERROR)
def test_on_error_sees_the_error_and_no_steps(block: str, broken: set[str]):
    found = checked("- {id: first, set: {x: 1}}", f"on_error: {block}\n")

    assert rules(found) == broken


def test_an_undo_that_names_a_key_of_another_shape_is_refused_with_a_suggestion():
    found = checked(f"- {{id: a, {call()}, undo: {{uses: http-request@1, with: {{url:"
                    " '${{ a.txt }}'}}}")  # fmt: skip

    assert [(p.found, p.did_you_mean) for p in found.problems] == [("txt", "text")]


def test_a_handler_behind_one_that_takes_everything_is_warned_about():
    found = checked("- {id: a, try: {steps: []}, catch: [{steps: []}, {steps: []}]}")

    assert warned(found) == {"never-reached"}


@pytest.mark.parametrize(
    ("steps", "found", "meant"),
    [
        ("- {id: a, paralel: {b: {steps: []}}}", "paralel", "parallel"),
        ("- {id: a, try: {steps: []}, cach: []}", "cach", "catch"),
        ("- {id: a, try: {steps: []}, catch: [{on: [time-out], steps: []}]}", "time-out",
         "timeout"),
        ("- {id: a, parallel: {b: {steps: []}}, failures: colect}", "colect", "collect"),
        (f"- {{id: a, {call()}, undo: {{{call()}, timeot: 5s}}}}", "timeot", "timeout"),
    ],
)  # fmt: skip
def test_a_misspelt_word_of_a_block_gets_a_suggestion(steps: str, found: str, meant: str):
    problems = checked(steps).problems

    assert (found, meant) in [(each.found, each.did_you_mean) for each in problems]


def test_blocks_of_every_kind_count_for_the_depth():
    text = "steps: []"
    for level in range(5):
        text = (
            f"steps: [{{id: p{level}, parallel: {{a: {{steps: [{{id: t{level}, try: {{{text}}}"
            "}]}}}]"
        )

    found = judged(f"troth: 1\nname: a\n{text}\n")

    assert rules(found) == {"too-deep"}
