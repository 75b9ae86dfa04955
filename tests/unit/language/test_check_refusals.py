"""What is refused beside the cases of section 11: what comes later, or is misspelt."""

import textwrap

import pytest

from libs.language.check import Checked
from libs.language.source import SourceError, read_document
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


CALL = "uses: http-request@1\n  with:"
UNDO = "uses: http-request@1, with: {url: 'https://a.example'}"
LATER = [
    "agent: {}",
    f"{CALL} {{url: 'https://a.example'}}\n  connection: ledger",
    f"{CALL} {{url: 'https://a.example'}}\n  undo: {{{UNDO}, connection: ledger}}",
    f"for_each: {{{UNDO}, items: '${{{{ page.json }}}}', next: '${{{{ null }}}}', connection: a}}"
    "\n  as: x\n  steps: []",
]
LATER_ABOVE = [
    "on: [{mcp: {}}]\n",
    "budget: {tokens: 1}\n",
    "budget: {cost: 0.50 EUR}\n",
]


@pytest.mark.parametrize("kind", LATER)
def test_a_step_that_comes_later_is_refused_by_that_name(kind):
    found = checked(f"- id: a\n  {kind}")

    assert {problem.rule for problem in found.problems} == {"comes-later"}
    assert "comes later" in found.problems[0].detail


@pytest.mark.parametrize("above", LATER_ABOVE)
def test_a_key_of_the_document_that_comes_later_is_refused_by_that_name(above):
    found = checked("- {id: a, set: {x: 1}}", above)

    assert {problem.rule for problem in found.problems} == {"comes-later"}


@pytest.mark.parametrize(
    "expression",
    ["f'{input.name}'", "9**9", "{1, 2}", "(y := 1)", "[*input.list]", "input.name is null"],
)
def test_python_beyond_the_grammar_is_not_allowed(expression):
    found = checked(f'- id: a\n  set: {{x: "${{{{ {expression} }}}}"}}')

    assert [problem.rule for problem in found.problems] == ["expression-not-allowed"]


@pytest.mark.parametrize(
    ("steps", "found", "meant"),
    [
        ("- {id: total, set: {x: 1}}\n- {id: b, set: {y: '${{ totl.x }}'}}", "totl", "total"),
        ("- {id: a, set: {x: '${{ input.nam }}'}}", "nam", "name"),
        ("- {id: a, set: {x: '${{ lenn(input.name) }}'}}", None, "len"),
        (
            "- {id: a, uses: http-request@1, with: {url: 'https://a.example'}, retries: 3}",
            "retries",
            "retry",
        ),
        ("- {id: a, uses: http-request@1, with: {urll: 'https://a.example'}}", "urll", "url"),
        (
            "- {id: a, uses: http-request@1, with: {url: 'https://a.example', method: PSOT}}",
            "PSOT",
            "POST",
        ),
        ("- {id: a, uses: http-reqest@1, with: {}}", "http-reqest@1", "http-request@1"),
        ("- {id: a, for_each: '${{ [1] }}', as: x, failures: stopp, steps: []}", "stopp", "stop"),
        ("- {id: a, sett: {x: 1}}", "sett", "set"),
    ],
)
def test_what_is_close_to_a_known_name_gets_a_suggestion(steps, found, meant):
    problems = checked(steps).problems

    assert (found, meant) in [(each.found, each.did_you_mean) for each in problems]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("name: a\nsteps: [{id: a, set: {}}]", "language-version"),
        ("troth: 2\nname: a\nsteps: [{id: a, set: {}}]", "language-version"),
        ("troth: true\nname: a\nsteps: [{id: a, set: {}}]", "language-version"),
        ("troth: '1'\nname: a\nsteps: [{id: a, set: {}}]", "language-version"),
        ("troth: 1\nsteps: [{id: a, set: {}}]", "key-missing"),
        ("troth: 1\nname: a", "key-missing"),
        ("troth: 1\nname: A b\nsteps: [{id: a, set: {}}]", "bad-name"),
        ("troth: 1\nname: '${{ x }}'\nsteps: [{id: a, set: {}}]", "expression-not-here"),
        ("troth: 1\nname: a\nsteps: {}", "block-shape"),
        ("troth: 1\nname: a\nsteps: [1]", "block-shape"),
        ("[]", "block-shape"),
        ("", "block-shape"),
        ("troth: 1\nname: a\nsteps: [{id: a, set: {}}]\ntimeout: 10", "wrong-type"),
        ("troth: 1\nname: a\nsteps: [{id: a, set: {}}]\ntimeout: 0s", "bad-duration"),
        ("troth: 1\nname: a\nsteps: [{id: a, set: {}}]\ntimeout: 366d", "bad-duration"),
        ("troth: 1\nname: a\nsteps: [{id: a, wait: {for: soon}}]", "bad-duration"),
        ("troth: 1\nname: a\nsteps: [{id: a, wait: {for: 5}}]", "wrong-type"),
        ("troth: 1\nname: a\nsteps: [{id: a, wait: {for: 1s, until: '${{ now() }}'}}]", "one-kind"),
        ("troth: 1\nname: a\negress: ['https://x.example']\nsteps: [{id: a, set: {}}]", "bad-host"),
        (
            "troth: 1\nname: a\nlabels: {a: '${{ 1 }}'}\nsteps: [{id: a, set: {}}]",
            "expression-not-here",
        ),
        ("troth: 1\nname: a\nbudget: {steps: 0}\nsteps: [{id: a, set: {}}]", "out-of-range"),
        (
            "troth: 1\nname: a\ninput: {$ref: 'https://x.example/s'}\nsteps: [{id: a, set: {}}]",
            "schema-ref",
        ),
        ("troth: 1\nname: a\ninput: {typ: object}\nsteps: [{id: a, set: {}}]", "unknown-key"),
    ],
)
def test_a_document_that_breaks_a_rule_is_refused_by_that_rule_alone(text, rule):
    found = judged(text)

    assert [problem.rule for problem in found.problems] == [rule]


def test_an_expression_that_yaml_cut_at_a_comment_is_said_to_need_quotes():
    found = checked("- {id: a, set: {x: 1}}\n- id: b\n  set:\n    x: ${{ a.x + 1 # one }}")

    assert [problem.rule for problem in found.problems] == ["expression-not-closed"]
    assert "must be quoted" in found.problems[0].detail


@pytest.mark.parametrize("text", ["a: &x 1", "a: *x", "{<<: {}}", "a: !!str 1", "a: 1\na: 2"])
def test_the_files_refusals_come_before_the_check(text):
    with pytest.raises(SourceError):
        read_document(text, "yaml")
