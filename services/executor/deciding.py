"""What people say to an approval: who may, which of it counts, and when it is enough."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from libs.common.errors import Forbidden, NotFound
from services.executor.contract import (
    AlreadyDecided,
    ApprovalChanged,
    ApprovalClosed,
    ApprovalDecided,
    ApprovalRequested,
)


@dataclass(frozen=True, slots=True)
class Decide:
    """One person's answer to an approval; `named`: they are among those asked; `starter`: who
    started the execution; `input_version`: which input it is about, None for whichever is there."""

    approval: str
    person: str
    named: bool
    starter: str
    decision: str
    comment: str | None
    input: str | None
    at: datetime
    input_version: int | None = None


def agreeing(decisions: Sequence[ApprovalDecided]) -> Sequence[ApprovalDecided]:
    """Those about the input as it is now: nobody has agreed to what was changed after them."""
    changes = [at for at, one in enumerate(decisions) if one.input is not None]
    return decisions[changes[-1] :] if changes else decisions


def input_version(decisions: Sequence[ApprovalDecided]) -> int:
    """How often the input was changed since people were asked."""
    return sum(one.input is not None for one in decisions)


@dataclass(slots=True)
class Approval:
    """What was asked and said so far."""

    asked: ApprovalRequested
    decisions: list[ApprovalDecided] = field(default_factory=list)
    reminders: int = 0
    expired: bool = False
    cancelled: bool = False

    @property
    def rejected(self) -> bool:
        return any(one.decision == "rejected" for one in self.decisions)

    @property
    def approved(self) -> bool:
        """By as many as it takes, each about the input as it is now."""
        return not self.rejected and len(agreeing(self.decisions)) >= self.asked.quorum

    @property
    def closed(self) -> bool:
        """Decided, or over by its time or with its branch."""
        return self.expired or self.cancelled or self.rejected or self.approved


def decided(command: Decide, approvals: Iterable[Approval]) -> ApprovalDecided:
    """Raises what `DecideApproval` refuses."""
    found = next((a for a in approvals if a.asked.approval_id == command.approval), None)
    if found is None:
        raise NotFound()
    if not command.named:
        raise Forbidden("you are not among those who may decide this")
    if found.asked.not_the_starter and command.starter == command.person:
        raise Forbidden("who started the execution may not decide this")
    if any(one.person_id == command.person for one in agreeing(found.decisions)):
        raise AlreadyDecided("you have decided this already")
    due = found.asked.due_at
    if found.closed or (due is not None and command.at >= due):
        raise ApprovalClosed("this approval is decided, or its time is over")
    if command.input_version not in (None, now := input_version(found.decisions)):
        raise ApprovalChanged(f"the input was changed: it is version {now} now")
    return ApprovalDecided.model_validate({
        "approval_id": command.approval, "path": found.asked.path, "person_id": command.person,
        "decision": command.decision, "comment": command.comment, "input": command.input,
    })  # fmt: skip
