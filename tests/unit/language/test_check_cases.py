"""Section 11 of the language's rules: every case of the file and of scopes, one row each."""

import textwrap

import pytest

from libs.language.check import Checked
from tests.unit.language.judging import judged

HEAD = """\
troth: 1
name: case
input:
  type: object
  additionalProperties: false
  properties:
    name: {type: string}
    list: {type: array, items: {type: object, additionalProperties: false, properties: {k: {}}}}
    from: {type: string}
    open: {type: object, properties: {known: {type: string}}}
"""


def checked(steps: str, rest: str = "") -> Checked:
    text = f"{HEAD}{rest}steps:\n{textwrap.indent(textwrap.dedent(steps), '  ')}"
    return judged(text)


CASES: list[tuple[str, str, set[str]]] = [
    (
        "id read before it ran",
        "- {id: a, set: {x: '${{ b.x }}'}}\n- {id: b, set: {x: 1}}",
        {"unknown-name"},
    ),
    (
        "a with that reads its own step",
        "- {id: a, uses: http-request@1, with: {url: '${{ a.text }}'}}",
        {"unknown-name"},
    ),
    (
        "keys of one set reading each other",
        "- {id: a, set: {x: 1, y: '${{ x }}'}}",
        {"unknown-name"},
    ),
    (
        "an inner id outside its branch",
        """\
        - id: route
          choose: [{when: "${{ true }}", steps: [{id: ok, set: {x: 1}}]}]
        - {id: after, set: {y: "${{ ok.x }}"}}
        """,
        {"unknown-name"},
    ),
    (
        "a sibling branch's id",
        """\
        - id: route
          choose:
            - {when: "${{ true }}", steps: [{id: ok, set: {x: 1}}]}
            - {when: "${{ true }}", steps: [{id: no, set: {x: "${{ ok.x }}"}}]}
        """,
        {"unknown-name"},
    ),
    (
        "the loop variable after the loop",
        """\
        - {id: each, for_each: "${{ input.list }}", as: line, steps: []}
        - {id: after, set: {y: "${{ line }}"}}
        """,
        {"unknown-name"},
    ),
    (
        "error outside catch",
        "- {id: a, set: {x: '${{ error.message }}'}}",
        {"unknown-name"},
    ),
    (
        "route.ok.x after the branch",
        """\
        - id: route
          choose: [{when: "${{ true }}", steps: [{id: ok, set: {x: 1}}]}]
        - {id: after, set: {y: "${{ route.ok.x }}"}}
        """,
        set(),
    ),
    (
        "an outer loop's variable in the inner loop",
        """\
        - id: outer
          for_each: ${{ input.list }}
          as: row
          steps:
            - id: inner
              for_each: ${{ row.k }}
              as: cell
              index_as: nr
              steps: [{id: put, set: {x: "${{ [row, cell, nr] }}"}}]
        """,
        set(),
    ),
    (
        "the same id in two branches",
        """\
        - id: route
          choose: [{when: "${{ true }}", steps: [{id: ok, set: {x: 1}}]}]
          else: {steps: [{id: ok, set: {x: 2}}]}
        """,
        {"id-taken"},
    ),
    (
        "as equal to a visible name",
        "- {id: a, set: {x: 1}}\n- {id: b, for_each: '${{ [1] }}', as: a, steps: []}",
        {"name-taken"},
    ),
    (
        "index_as equal to as",
        "- {id: b, for_each: '${{ [1] }}', as: n, index_as: n, steps: []}",
        {"name-taken"},
    ),
    (
        "a comprehension variable equal to a visible name",
        "- {id: a, set: {x: [1]}}\n- {id: b, set: {y: '${{ [a for a in a.x] }}'}}",
        {"name-taken"},
    ),
    ("step named input", "- {id: input, set: {x: 1}}", {"name-reserved"}),
    ("step named sum", "- {id: sum, set: {x: 1}}", {"name-reserved"}),
    ("get-user as id", "- {id: get-user, set: {x: 1}}", {"bad-id"}),
    ("no id", "- {set: {x: 1}}", {"id-missing"}),
    ("for_each without as", "- {id: a, for_each: '${{ [1] }}', steps: []}", {"as-missing"}),
    (
        "when: true",
        "- {id: a, choose: [{when: true, steps: []}]}",
        {"expression-expected"},
    ),
    (
        "when: x and an expression",
        "- {id: a, choose: [{when: 'x ${{ true }}', steps: []}]}",
        {"expression-expected"},
    ),
    (
        "timeout with an expression",
        "- {id: a, uses: http-request@1, with: {url: 'https://a.b'}, timeout: '${{ input.t }}'}",
        {"expression-not-here"},
    ),
    ("vars.x anywhere", "- {id: a, set: {x: '${{ vars.x }}'}}", set()),
    ("event in a step", "- {id: a, set: {x: '${{ event.data }}'}}", {"unknown-name"}),
    (
        "else as an item of choose",
        "- {id: a, choose: [{when: '${{ true }}', steps: []}, {else: []}]}",
        {"block-shape"},
    ),
    (
        "two kinds in one step",
        "- {id: a, set: {x: 1}, wait: {for: 1s}}",
        {"one-kind"},
    ),
    ("no kind in a step", "- {id: a}", {"one-kind"}),
    (
        "retries: 3",
        "- {id: a, uses: http-request@1, with: {url: 'https://a.example'}, retries: 3}",
        {"unknown-key"},
    ),
    (
        "uses without version",
        "- {id: a, uses: http-request, with: {url: 'https://a.example'}}",
        {"version-missing"},
    ),
    (
        "secret as a whole value in with",
        "- {id: a, uses: http-request@1, with: {url: 'https://a.b', text: '${{ secret.k }}'}}",
        set(),
    ),
    (
        "secret inside a text in with",
        """\
        - id: a
          uses: http-request@1
          with: {url: "https://a.example", headers: {authorization: "Bearer ${{ secret.api }}"}}
        """,
        set(),
    ),
    ("secret in set", "- {id: a, set: {x: '${{ secret.api }}'}}", {"secret-not-here"}),
    (
        "secret in when",
        "- {id: a, choose: [{when: '${{ secret.api }}', steps: []}]}",
        {"secret-not-here"},
    ),
    (
        "base64(secret.api)",
        """\
        - id: a
          uses: http-request@1
          with: {url: "https://a.example", text: "${{ base64(secret.api) }}"}
        """,
        {"secret-in-expression"},
    ),
    ("input.from", "- {id: a, set: {x: '${{ input.from }}'}}", {"expression-keyword-key"}),
    ('input["from"]', "- {id: a, set: {x: '${{ input[\"from\"] }}'}}", set()),
    ("True", "- {id: a, set: {x: '${{ True }}'}}", {"expression-literal"}),
    (
        "a method",
        "- {id: a, set: {x: '${{ input.name.lower() }}'}}",
        {"expression-method"},
    ),
    ("a called lambda", "- {id: a, set: {x: '${{ (lambda: 1)() }}'}}", {"expression-method"}),
    ("lenn(x)", "- {id: a, set: {x: '${{ lenn(input.name) }}'}}", {"unknown-function"}),
    ("not closed", "- {id: a, set: {x: '${{ input.a'}}", {"expression-not-closed"}),
    (
        "braces inside an expression",
        """- {id: a, set: {x: '${{ {"a": {"b": 1}} }}', y: '${{ "}}" }}', z: '$${{ x }}'}}""",
        set(),
    ),
    (
        "an expression in a key of with",
        """\
        - id: a
          uses: http-request@1
          with: {url: "https://a.example", json: {"${{ input.name }}": 1}}
        """,
        {"expression-in-key"},
    ),
    ("an expression in a key of set", "- {id: a, set: {'${{ x }}': 1}}", {"expression-in-key"}),
    (
        "a key that the closed input has not",
        "- {id: a, set: {x: '${{ input.nam }}'}}",
        {"unknown-key"},
    ),
    (
        "a key that the step's set has not",
        "- {id: a, set: {x: 1}}\n- {id: b, set: {y: '${{ a.y }}'}}",
        {"unknown-key"},
    ),
    (
        "a key that the connector's result has not",
        """\
        - {id: a, uses: http-request@1, with: {url: "https://a.example"}}
        - {id: b, set: {y: "${{ a.stat }}"}}
        """,
        {"unknown-key"},
    ),
    (
        "a key below the connector's json",
        """\
        - {id: a, uses: http-request@1, with: {url: "https://a.example"}}
        - {id: b, set: {y: "${{ a.json.anything.at_all }}"}}
        """,
        set(),
    ),
    ("an unknown key of trigger", "- {id: a, set: {x: '${{ trigger.heads }}'}}", {"unknown-key"}),
    (
        "the item's key",
        "- {id: b, for_each: '${{ input.list }}', as: n, steps: [{id: c, set: {x: '${{ n.z }}'}}]}",
        {"unknown-key"},
    ),
    (
        "has asks for what may not be there",
        "- {id: a, set: {x: '${{ has(input.open.no) }}'}}",
        set(),
    ),
    ("no step at all", "[]", {"no-steps"}),
]


@pytest.mark.parametrize(("steps", "rules"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_each_case_of_the_rules_has_its_answer(steps, rules):
    found = checked(steps)

    assert {problem.rule for problem in found.problems} == rules, found.problems
    assert (found.document is None) == bool(rules)
    for problem in found.problems:
        assert problem.line
        assert problem.see
