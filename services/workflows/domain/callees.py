"""Sub-workflows that a document names: who they are now, or what is wrong with the name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from libs.common.errors import FieldProblem
from libs.language.document import Document
from libs.language.source import Source
from libs.language.steps import Block, WorkflowStep, blocks_in
from services.workflows.contract import CalleeFact


@dataclass(frozen=True, slots=True)
class Candidate:
    """A workflow of the organization as it can be called: its newest version, None for none."""

    workflow_id: str
    published: int | None
    archived: bool


def resolve(
    document: Document, source: Source, own_id: str, others: Mapping[str, Candidate]
) -> tuple[list[CalleeFact], list[FieldProblem]]:
    """Each name with the version that is published now; a document that calls itself has 0."""
    found: dict[str, CalleeFact] = {}
    problems: list[FieldProblem] = []
    for step in steps_that_call(document):
        name = step.workflow
        if name == document.name:
            found[name] = CalleeFact(name=name, workflow_id=own_id, workflow_version=0)
            continue
        other = others.get(name)
        if other is None or other.published is None or other.archived:
            problems.append(_problem(step, source, *_why_not(name, other)))
            continue
        if isinstance(step.version, int) and not 0 < step.version <= other.published:
            detail = f"{name!r} has the versions 1 to {other.published}"
            problems.append(_problem(step, source, "unknown-version", detail, "version"))
        found[name] = CalleeFact(
            name=name, workflow_id=other.workflow_id, workflow_version=other.published
        )
    return list(found.values()), problems


def _why_not(name: str, other: Candidate | None) -> tuple[str, str]:
    if other is None:
        return "unknown-workflow", f"there is no workflow {name!r} in this organization"
    if other.archived:
        return "workflow-archived", f"the workflow {name!r} was archived"
    return "workflow-unpublished", f"the workflow {name!r} has no published version yet"


def _problem(
    step: WorkflowStep, source: Source, rule: str, detail: str, key: str = "workflow"
) -> FieldProblem:
    pointer = f"{step.pointer}/{key}"
    line, column = source.locate(pointer) or (None, None)
    found = step.workflow if key == "workflow" else str(step.version)
    return FieldProblem(
        pointer=pointer, rule=rule, detail=detail, line=line, column=column, found=found,
        see="/docs/language#blocks",
    )  # fmt: skip


def steps_that_call(document: Document) -> Iterator[WorkflowStep]:
    """Every `workflow` step, in the order of the document."""
    yield from _within(document.block)
    if document.on_error is not None:
        yield from _within(document.on_error)


def _within(block: Block) -> Iterator[WorkflowStep]:
    for step in block.steps:
        if isinstance(step, WorkflowStep):
            yield step
        for inner in blocks_in(step):
            yield from _within(inner)
