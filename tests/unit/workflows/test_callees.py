"""Names of sub-workflows: who they are when their caller is published."""

from libs.language.check import check
from libs.language.source import read_document
from services.workflows.contract import CalleeFact
from services.workflows.domain.callees import Candidate, resolve

TEXT = """troth: 1
name: caller
steps:
  - id: first
    workflow: one
  - id: route
    choose:
      - when: ${{ true }}
        steps:
          - id: second
            workflow: two
            version: 2
on_error:
  steps:
    - id: third
      workflow: one
"""
ONE, TWO = Candidate("wf_1", 4, False), Candidate("wf_2", 2, False)


def resolved(text: str, **others: Candidate):
    source = read_document(text, "yaml")
    document = check(source).document
    assert document is not None, check(source).problems
    return resolve(document, source, "wf_own", others)


def test_each_name_is_the_version_that_is_published_now() -> None:
    callees, problems = resolved(TEXT, one=ONE, two=TWO)
    assert problems == []
    assert callees == [
        CalleeFact(name="one", workflow_id="wf_1", workflow_version=4),
        CalleeFact(name="two", workflow_id="wf_2", workflow_version=2),
    ]


def test_a_workflow_may_name_itself_before_it_was_ever_published() -> None:
    callees, problems = resolved(TEXT.replace("one", "caller"), two=TWO)
    assert problems == []
    assert callees[0] == CalleeFact(name="caller", workflow_id="wf_own", workflow_version=0)


def test_a_name_that_can_not_be_called_is_a_problem_with_its_place() -> None:
    for other, rule in (
        (None, "unknown-workflow"),
        (Candidate("wf_1", None, False), "workflow-unpublished"),
        (Candidate("wf_1", 1, True), "workflow-archived"),
    ):
        known = {"two": TWO} | ({"one": other} if other else {})
        _, problems = resolved(TEXT, **known)
        found = [(p.rule, p.pointer, p.line, p.found) for p in problems]
        assert found == [
            (rule, "/steps/0/workflow", 5, "one"), (rule, "/on_error/steps/0/workflow", 16, "one"),
        ]  # fmt: skip


def test_a_version_that_does_not_exist_is_a_problem() -> None:
    _, problems = resolved(TEXT, one=ONE, two=Candidate("wf_2", 1, False))
    assert [(p.rule, p.pointer) for p in problems] == [
        ("unknown-version", "/steps/1/choose/0/steps/0/version")
    ]
