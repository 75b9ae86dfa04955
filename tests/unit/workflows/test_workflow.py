"""What may happen to a workflow, as sentences."""

from datetime import UTC, datetime
from typing import Any

from libs.common.decider import given
from libs.common.errors import ChangedMeanwhile, Conflict, FieldProblem, InvalidInput, NotFound
from services.workflows.contract import (
    DraftSaved,
    NothingToPublish,
    WorkflowArchived,
    WorkflowDisabled,
    WorkflowDrafted,
    WorkflowEnabled,
    WorkflowExists,
    WorkflowInvalid,
    WorkflowPublished,
)
from services.workflows.domain.workflow import (
    Archive,
    Disable,
    Draft,
    Enable,
    Facts,
    Publish,
    Save,
    Saved,
    workflow,
)

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WF = "wf_1"


def text(digest: str) -> Saved:
    return Saved("sealed-" + digest, "yaml", digest, 10, 1, AT)


def drafted(digest: str = "a") -> WorkflowDrafted:
    return WorkflowDrafted(
        workflow_id=WF, name="hello", document="sealed-" + digest, media="yaml",
        document_digest=digest, bytes=10, drafted_at=AT,
    )  # fmt: skip


def saved(digest: str) -> DraftSaved:
    return DraftSaved(
        workflow_id=WF, document="sealed-" + digest, media="yaml", document_digest=digest,
        bytes=10, steps_count=1, saved_at=AT,
    )  # fmt: skip


def facts() -> Facts:
    return Facts("sealed-json", 1, 1, [], [], [], [], [], {"team": "red"})


def published(version: int, draft: int, digest: str) -> WorkflowPublished:
    return WorkflowPublished(
        workflow_id=WF, name="hello", workflow_version=version, draft_version=draft,
        document="sealed-json", media="yaml", document_digest=digest, bytes=10, steps_count=1,
        language=1, triggers=[], connectors=[], hosts=[], secrets=[], variables=[],
        labels={"team": "red"}, note=None, published_at=AT,
    )  # fmt: skip


def publish(draft: int, checked: int | None = None, what: Any = None) -> Publish:
    return Publish(draft, draft if checked is None else checked, what or facts(), None, AT)


OFF = WorkflowDisabled(workflow_id=WF, reason="by-hand")
ON = WorkflowEnabled(workflow_id=WF, reason="by-hand")
AWAY = WorkflowArchived(workflow_id=WF)


def test_a_document_becomes_a_workflow() -> None:
    given(workflow).when(Draft(WF, "hello", text("a"))).then(drafted())


def test_a_workflow_is_not_drafted_twice() -> None:
    given(workflow, drafted()).when(Draft(WF, "hello", text("b"))).then_refused(WorkflowExists)


def test_nothing_happens_to_a_workflow_that_is_not_there() -> None:
    for command in (Save("hello", text("a")), publish(1), Enable("x"), Disable("x"), Archive()):
        given(workflow).when(command).then_refused(NotFound)


def test_a_save_replaces_the_draft() -> None:
    given(workflow, drafted()).when(Save("hello", text("b"))).then(saved("b"))


def test_saving_what_is_there_already_changes_nothing() -> None:
    given(workflow, drafted()).when(Save("hello", text("a"))).then_nothing()


def test_a_workflow_keeps_its_name() -> None:
    refused = given(workflow, drafted()).when(Save("other", text("b"))).then_refused(InvalidInput)
    assert refused.errors[0].pointer == "/name"


def test_a_draft_is_published_as_the_next_version() -> None:
    given(workflow, drafted()).when(publish(1)).then(published(1, 1, "a"))
    history = (drafted(), published(1, 1, "a"), saved("b"))
    given(workflow, *history).when(publish(3)).then(published(2, 3, "b"))


def test_a_draft_is_published_as_it_was_at_a_later_version_of_the_stream() -> None:
    given(workflow, drafted(), OFF, ON).when(publish(3, checked=1)).then(published(1, 1, "a"))


def test_an_older_draft_is_not_published_in_place_of_the_newest() -> None:
    given(workflow, drafted(), saved("b")).when(publish(1)).then_refused(ChangedMeanwhile)


def test_a_draft_that_does_not_exist_yet_is_not_published() -> None:
    given(workflow, drafted()).when(publish(2, checked=1)).then_refused(ChangedMeanwhile)


def test_a_draft_that_changed_after_its_check_is_not_published() -> None:
    changed = given(workflow, drafted(), saved("b"))
    changed.when(publish(2, checked=1)).then_refused(ChangedMeanwhile)


def test_what_was_published_last_is_not_published_again() -> None:
    history = (drafted(), published(1, 1, "a"), saved("b"), saved("a"))
    given(workflow, *history).when(publish(4)).then_refused(NothingToPublish)


def test_an_earlier_document_may_be_published_again_later() -> None:
    history = (drafted(), published(1, 1, "a"), saved("b"), published(2, 3, "b"), saved("a"))
    given(workflow, *history).when(publish(5)).then(published(3, 5, "a"))


def test_a_document_with_problems_is_not_published() -> None:
    problem = FieldProblem(pointer="/steps/0", rule="one-kind", detail="…", line=3, column=5)
    refused = given(workflow, drafted()).when(publish(1, what=[problem]))
    assert refused.then_refused(WorkflowInvalid).errors == [problem]


def test_a_workflow_is_on_from_the_beginning_and_switched_once() -> None:
    given(workflow, drafted()).when(Enable("by-hand")).then_nothing()
    given(workflow, drafted()).when(Disable("by-hand")).then(OFF)
    given(workflow, drafted(), OFF).when(Disable("by-hand")).then_nothing()
    given(workflow, drafted(), OFF).when(Enable("by-hand")).then(ON)


def test_an_archived_workflow_stays_as_it_is() -> None:
    given(workflow, drafted()).when(Archive()).then(AWAY)
    given(workflow, drafted(), AWAY).when(Archive()).then_nothing()
    for command in (Save("hello", text("b")), publish(1), Enable("x"), Disable("x")):
        refused = given(workflow, drafted(), AWAY).when(command).then_refused(Conflict)
        assert refused.code == "workflow-archived"
