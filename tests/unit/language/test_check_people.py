"""Waits for events, approvals, sub-workflows and Python: what they take and what they refuse."""

import textwrap
from typing import Any

import pytest

from libs.language.check import Checked
from libs.language.check_people import MAY_DECIDE, ROLES
from libs.language.check_python import CODE_BYTES_MAX
from services.identity.contract.roles import ROLES as PERMISSIONS
from services.identity.contract.roles import Role
from tests.unit.language.judging import judged, rules, warned

HEAD = """\
troth: 1
name: case
input: {type: object, additionalProperties: false, properties: {name: {type: string}}}
"""
PERSON = "person:per_" + "0" * 26
OTHER = "person:per_" + "1" * 26


def checked(steps: str) -> Checked:
    return judged(f"{HEAD}steps:\n{textwrap.indent(textwrap.dedent(steps), '  ')}")


def step(kind: str) -> Checked:
    return checked(f"- id: a\n  {kind}\n- {{id: last, set: {{x: 1}}}}")


WAITS: list[tuple[str, set[str]]] = [
    ("{event: {type: custom.paid}}", set()),
    ("{event: {type: custom.paid, match: '${{ event.data.id == input.name }}', look_back: 1h}}",
     set()),
    ("{event: {type: custom.paid, match: '${{ vars.x == event.data }}'}, timeout: 3d}", set()),
    ("{event: {type: 'custom.*'}, timeout: 3d, on_timeout: continue}", set()),
    ("{event: {type: executor.event.execution-finished}}", set()),
    ("{event: {type: 'executor.event.*'}}", set()),
    ("{until: '${{ input.name }}', timeout: 3d}", set()),
    ("{event: {type: paid}}", {"bad-event-type"}),
    ("{event: {type: custom.Paid}}", {"bad-event-type"}),
    ("{event: {type: custom.}}", {"bad-event-type"}),
    ("{event: {type: 'custom.*.paid'}}", {"bad-event-type"}),
    ("{event: {type: '*'}}", {"bad-event-type"}),
    ("{event: {type: executr.event.execution-finished}}", {"bad-event-type"}),
    ("{event: {type: executor.command.start}}", {"bad-event-type"}),
    ("{event: {type: '${{ input.name }}'}}", {"expression-not-here"}),
    ("{event: {}}", {"key-missing"}),
    ("{event: custom.paid}", {"wrong-type"}),
    ("{event: {type: custom.paid, match: true}}", {"expression-expected"}),
    ("{event: {type: custom.paid, match: '${{ evnt.data }}'}}", {"unknown-name"}),
    ("{event: {type: custom.paid, look_back: always}}", {"bad-duration"}),
    ("{event: {type: custom.paid, mach: x}}", {"unknown-key"}),
    ("{event: {type: custom.paid}, until: '${{ now() }}'}", {"one-kind"}),
    ("{event: {type: custom.paid}, on_timeout: continue}", {"timeout-missing"}),
    ("{event: {type: custom.paid}, timeout: 1h, on_timeout: approve}", {"not-one-of"}),
    ("{event: {type: custom.paid}, timeout: '${{ input.name }}'}", {"expression-not-here"}),
    ("{for: 1s}, timeout: 5s", {"unknown-key"}),
]  # fmt: skip


@pytest.mark.parametrize(("wait", "broken"), WAITS)
def test_each_wait_has_its_answer(wait: str, broken: set[str]):
    found = checked(f"- {{id: a, wait: {wait}}}")

    assert rules(found) == broken, found.problems


def test_what_a_wait_gives_is_known():
    found = checked(
        """\
        - {id: paid, wait: {event: {type: custom.paid}}}
        - {id: good, set: {x: "${{ [paid.reason, paid.at, paid.event.data.anything] }}"}}
        - {id: bad, set: {x: "${{ paid.data }}"}}
        """
    )

    assert [p.found for p in found.problems] == ["data"]


APPROVALS: list[tuple[str, set[str]]] = [
    ("by: ['role:admin']", set()),
    (f"by: ['role:owner', '{PERSON}'], quorum: 2, not_the_starter: true", set()),
    ("by: ['role:admin'], timeout: 3d, on_timeout: approve, on_reject: continue, remind: 1d",
     set()),
    ("by: ['role:admin'], input: {schema: {type: object}, value: {a: '${{ input.name }}'}}", set()),
    ("quorum: 1", {"key-missing"}),
    ("by: []", {"too-few"}),
    ("by: role:admin", {"wrong-type"}),
    ("by: [1]", {"wrong-type"}),
    ("by: ['role:boss']", {"bad-approver"}),
    ("by: [admin]", {"bad-approver"}),
    ("by: ['person:anna']", {"bad-approver"}),
    ("by: ['${{ input.name }}']", {"expression-not-here"}),
    ("by: ['role:admin'], quorum: 21", {"out-of-range"}),
    ("by: ['role:admin'], quorum: '${{ 2 }}'", {"expression-not-here"}),
    (f"by: ['{PERSON}', '{PERSON}'], quorum: 2", {"out-of-range"}),
    (f"by: ['{PERSON}', '{OTHER}'], quorum: 2", set()),
    ("by: ['role:admin'], on_timeout: reject", {"timeout-missing"}),
    ("by: ['role:admin'], timeout: 3d, on_timeout: continue", {"not-one-of"}),
    ("by: ['role:admin'], on_reject: ignore", {"not-one-of"}),
    ("by: ['role:admin'], remind: 1s", {"out-of-range"}),
    ("by: ['role:admin'], not_the_starter: yes", {"wrong-type"}),
    ("by: ['role:admin'], input: {schema: {type: object}}", {"key-missing"}),
    ("by: ['role:admin'], input: {value: 1}", {"key-missing"}),
    ("by: ['role:admin'], input: {schema: {typ: object}, value: {}}", {"unknown-key"}),
    ("by: ['role:admin'], input: {schema: {type: object}, value: 1}", {"input-invalid"}),
    ("by: ['role:admin'], who: x", {"unknown-key"}),
]  # fmt: skip


@pytest.mark.parametrize(("approval", "broken"), APPROVALS)
def test_each_approval_has_its_answer(approval: str, broken: set[str]):
    found = step(f"approval: {{{approval}, message: 'Pay ${{{{ input.name }}}}?'}}")

    assert rules(found) == broken, found.problems


@pytest.mark.parametrize(
    ("message", "rule"),
    [("", "key-missing"), (", message: 1", "wrong-type"),
     (", message: '${{ secret.a }}'", "secret-not-here")],
)  # fmt: skip
def test_people_are_asked_by_a_text(message: str, rule: str):
    assert rules(step(f"approval: {{by: ['role:admin']{message}}}")) == {rule}


def test_what_an_approval_gives_is_known():
    schema = "{type: object, additionalProperties: false, properties: {sum: {type: number}}}"
    found = checked(
        f"""\
        - id: ok
          approval:
            by: ["role:admin"]
            message: Pay?
            input: {{schema: {schema}, value: {{}}}}
        - {{id: good, set: {{x: "${{{{ [ok.decision, ok.decided_by, ok.input.sum] }}}}"}}}}
        - {{id: bad, set: {{x: "${{{{ ok.input.total }}}}"}}}}
        """
    )

    assert [p.found for p in found.problems] == ["total"]


def test_the_roles_are_those_of_members_and_who_may_not_decide_is_warned_about():
    assert set(ROLES) == {role.value for role in Role}
    deciding = {role.value for role in Role if "executions:start" in PERMISSIONS[role]}
    assert set(MAY_DECIDE) == deciding
    assert warned(step("approval: {by: ['role:viewer'], message: x}")) == {"may-not-decide"}


CALLS: list[tuple[str, set[str]]] = [
    ("workflow: other", set()),
    ("workflow: other\n  version: 7\n  with: {a: '${{ input.name }}'}", set()),
    ("workflow: other\n  version: latest\n  detached: true", set()),
    ("workflow: Other", {"bad-name"}),
    ("workflow: '${{ input.name }}'", {"expression-not-here"}),
    ("workflow: 7", {"wrong-type"}),
    ("workflow: other\n  version: newest", {"not-one-of"}),
    ("workflow: other\n  version: 0", {"out-of-range"}),
    ("workflow: other\n  version: '${{ 1 }}'", {"expression-not-here"}),
    ("workflow: other\n  version: null", {"wrong-type"}),
    ("workflow: other\n  detached: 'true'", {"wrong-type"}),
    ("workflow: other\n  with: {a: '${{ secret.a }}'}", {"secret-not-here"}),
    ("workflow: other\n  detach: true", {"unknown-key"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "broken"), CALLS)
def test_each_call_of_a_workflow_has_its_answer(kind: str, broken: set[str]):
    assert rules(step(kind)) == broken


def test_a_workflow_that_is_left_to_itself_gives_its_execution():
    found = checked(
        """\
        - {id: other, workflow: other, detached: true}
        - {id: good, set: {x: "${{ other.execution }}"}}
        - {id: bad, set: {x: "${{ other.output }}"}}
        """
    )

    assert [p.found for p in found.problems] == ["output"]


def python(code: str, more: str = "") -> Checked:
    lines = textwrap.indent(textwrap.dedent(code), " " * 6)
    return judged(f"{HEAD}steps:\n  - id: a\n    python: |\n{lines}\n{more}")


PYTHON: list[tuple[str, str, set[str]]] = [
    ("return 1", "", set()),
    ("for n in range(3):\n    if n: return n", "", set()),
    ("def double(x):\n    return 2 * x\nreturn double(total)", "    with: {total: 1}\n", set()),
    ("return http_request(url=where)", "    uses: [http-request@1]\n    with: {where: x}\n", set()),
    ('text = """\n  two\nlines"""\nreturn text', "", set()),
    ("x = 1", "", {"return-missing"}),
    ("def f():\n    return 1", "", {"return-missing"}),
    ("return (1", "", {"python-syntax"}),
    ("break\nreturn 1", "", {"python-syntax"}),
    ("yield 1\nreturn 2", "", {"python-syntax"}),
    ("def f():\n    yield 1\nreturn list(f())", "", set()),
    ("return '\\d'", "", set()),
    ("return " + "(" * 300 + ")" * 300, "", {"python-syntax"}),
    ("return " + "-" * 30_000 + "1", "", {"python-syntax"}),
    ("return " + "+".join("1" * 20_000), "", {"python-syntax"}),
    ("return '${{ input.name }}'", "", {"expression-not-here"}),
    ("return 1  # " + "x" * CODE_BYTES_MAX, "", {"too-long"}),
    ("return 1", "    with: {class: 1}\n", {"bad-name"}),
    ("return 1", "    with: {a-b: 1}\n", {"bad-name"}),
    ("return 1", "    with: {_a: 1}\n", {"bad-name"}),
    ("return 1", "    with: {'${{ x }}': 1}\n", {"expression-in-key"}),
    ("return 1", "    with: {a: '${{ secret.a }}'}\n", {"secret-not-here"}),
    ("return 1", "    with: '${{ input }}'\n", {"wrong-type"}),
    ("return 1", "    uses: [http-request@1]\n    with: {http_request: 1}\n", {"name-taken"}),
    ("return 1", "    uses: [http-request]\n", {"version-missing"}),
    ("return 1", "    uses: [email-send@1]\n", {"unknown-connector"}),
    ("return 1", "    uses: [http-request@1, http-request@1]\n", {"name-taken"}),
    ("return 1", "    uses: http-request@1\n", {"wrong-type"}),
    ("return 1", "    timeout: soon\n", {"bad-duration"}),
    ("return 1", "    retry: {attempts: 3}\n", {"unknown-key"}),
]


@pytest.mark.parametrize(("code", "more", "broken"), PYTHON, ids=range(len(PYTHON)))
def test_each_python_step_has_its_answer(code: str, more: str, broken: set[str]):
    found = python(code, more)

    assert rules(found) == broken, found.problems


def test_an_error_in_python_has_its_line_in_the_file():
    found = python("total = 1\nif total\n    return 1\n")

    (problem,) = found.problems
    assert (problem.line, problem.column) == (8, 15)
    assert "expected ':'" in problem.detail


@pytest.mark.parametrize("code", ["total = 1\nreturn '\\d'\n", "a = 1\nreturn a is 1\n"])
def test_what_python_warns_of_is_the_authors_to_see_and_nobody_elses(
    code: str, recwarn: pytest.WarningsRecorder
):
    found = python(code)

    (warning,) = found.warnings
    assert found.problems == []
    assert (warning.rule, warning.line) == ("python-doubtful", 7 + 1)
    assert "line 2:" in warning.detail
    assert recwarn.list == []


@pytest.mark.parametrize("value", [1, None, [], {"a": 1}, ""])
def test_python_that_is_no_code_is_refused(value: Any):
    found = judged(f"{HEAD}steps: [{{id: a, python: {value!r}}}]".replace("None", "null"))

    assert rules(found) <= {"wrong-type", "return-missing"}
    assert found.document is None
