"""The steps of a document by id, and where each stands."""

from dataclasses import dataclass

from libs.language.document import Document
from libs.language.steps import (
    Block,
    ChooseStep,
    ForEachStep,
    ParallelStep,
    Step,
    TryStep,
)  # fmt: skip

ON_ERROR = "on_error"


@dataclass(frozen=True, slots=True)
class Stand:
    """A step, its number in its block, and the blocks around it from the outside in: the id of
    each step that has them, and which of its blocks (`branch 0`, `else`, `items`, `left`, …)."""

    step: Step
    number: int
    around: tuple[tuple[str, str], ...]
    loops: tuple[str, ...]
    last: bool  # in on_error


def outline(document: Document) -> dict[str, Stand]:
    found: dict[str, Stand] = {}
    _block(found, document.block, (), (), last=False)
    if document.on_error is not None:
        _block(found, document.on_error, (), (), last=True)
    return found


def steps_of(document: Document) -> dict[str, Step]:
    return {name: stand.step for name, stand in outline(document).items()}


def _block(
    found: dict[str, Stand], block: Block, around: tuple[tuple[str, str], ...],
    loops: tuple[str, ...], *, last: bool,
) -> None:  # fmt: skip
    for number, step in enumerate(block.steps):
        found[step.id] = Stand(step, number, around, loops, last)
        for name, inner in named_blocks(step):
            mine = (*loops, step.id) if isinstance(step, ForEachStep) else loops
            _block(found, inner, (*around, (step.id, name)), mine, last=last)


def named_blocks(step: Step) -> list[tuple[str, Block]]:
    """The blocks directly inside a step, in their order, by what they are."""
    match step:
        case ChooseStep():
            named = [(f"branch {n}", b.block) for n, b in enumerate(step.branches)]
            return named + ([("else", step.otherwise)] if step.otherwise else [])
        case ForEachStep():
            return [("items", step.block)]
        case ParallelStep():
            return list(step.branches.items())
        case TryStep():
            named = [("try", step.body)]
            named += [(f"catch {n}", h.block) for n, h in enumerate(step.handlers)]
            return named + ([("finally", step.finally_)] if step.finally_ else [])
        case _:
            return []
