"""Pins: results that were given for steps of a draft, recorded instead of doing the steps."""

from collections.abc import Mapping
from typing import Any

from libs.common.errors import FieldProblem, InvalidInput
from libs.language.steps import ApprovalStep, ForEachStep, Step
from services.executor.host import MISSING
from services.executor.paths import place_of

PINS_MAX = 100


def given(pins: Mapping[str, Any], path: str) -> Any:
    """What is pinned for the very path, or for the step in every item; MISSING without."""
    if not pins:
        return MISSING
    if path in pins:
        return pins[path]
    return pins.get(path.partition("[")[0], MISSING) if is_step(path) else MISSING


def is_step(path: str) -> bool:
    """Whether the path is one of a step, and not of a part of it."""
    return "#" not in path and "." not in path


def must_fit(pins: Mapping[str, Any], steps: Mapping[str, Step], *, approvals: bool) -> None:
    """Raises InvalidInput for what is no step of the document, or a loop; and for an approval,
    where what was reviewed is that people are asked."""
    problems: list[FieldProblem] = []
    for path in pins:
        pointer = f"/pins/{path}"
        try:
            step = steps.get(place_of(path).id)
        except ValueError:
            step = None
        if step is None:
            detail = "no step of this document; write its id, or id and item: post[3]"
            problems.append(FieldProblem(pointer=pointer, rule="unknown-step", detail=detail))
        elif isinstance(step, ForEachStep):
            detail = "a loop can't be pinned; pin the steps in it"
            problems.append(FieldProblem(pointer=pointer, rule="block-shape", detail=detail))
        elif isinstance(step, ApprovalStep) and not approvals:
            detail = "a reviewed draft asks people; what they say can't be pinned"
            problems.append(FieldProblem(pointer=pointer, rule="approval", detail=detail))
    if len(pins) > PINS_MAX:
        detail = f"{len(pins)} pins; at most {PINS_MAX}"
        problems.append(FieldProblem(pointer="/pins", rule="too-many", detail=detail))
    if problems:
        raise InvalidInput("what is pinned does not fit the document", errors=problems[:50])
