"""How two versions of a workflow differ: the question, and what it is answered with."""

from typing import Annotated, Literal

from pydantic import Field

from libs.common.fields import AnyJson, Name, Pointer, Version, Word, WorkflowId
from libs.common.messages import Message, Query

Against = Annotated[Word, Field(pattern=r"^(draft|[1-9][0-9]{0,8})$")]
Either = Version | Literal["draft"]


class ChangeShown(Message):
    """A value that differs. The pointers lead into the two documents; null: not there."""

    key: Pointer
    old_pointer: Pointer | None
    new_pointer: Pointer | None
    old: AnyJson
    new: AnyJson


class StepShown(Message):
    """A step that only one of the two documents has."""

    id: Name
    kind: Word
    pointer: Pointer


class StepChanged(Message):
    """What differs in a step that both have; the steps inside it are looked at by themselves."""

    id: Name
    changes: list[ChangeShown]


class StepMoved(Message):
    """A step that stands in another block, or before or behind others than it did."""

    id: Name
    old_pointer: Pointer
    new_pointer: Pointer


class TriggerChanged(Message):
    """A trigger by its id, else by what it is; null: only the other document has it."""

    trigger: Word
    old_pointer: Pointer | None
    new_pointer: Pointer | None
    changes: list[ChangeShown]


class DiffShown(Message):
    """What was done to `old` to make it `new`. The draft is always the new one."""

    workflow: WorkflowId
    old: Either | None
    new: Either
    steps_added: list[StepShown]
    steps_removed: list[StepShown]
    steps_changed: list[StepChanged]
    steps_moved: list[StepMoved]
    triggers: list[TriggerChanged]
    settings: list[ChangeShown]


class CompareVersions(
    Query, type="workflows.query.compare-versions", permission="workflows:read", answers=DiffShown
):
    """`against` is another version, or `draft`; without it the version before. → DiffShown."""

    workflow: Word
    version: Version
    against: Against | None = None
