"""Why a step has no result to read: it did not run, because another branch was taken."""

from collections.abc import Iterator, Mapping
from typing import Any

from libs.language.errors import ExpressionError
from libs.language.expression import Expression
from libs.language.steps import Block, ChooseStep, Step, blocks_in
from libs.language.templates import Value


def explained(
    error: ExpressionError, what: Expression | Value, block: Block, scope: Mapping[str, Any]
) -> ExpressionError:
    """The same error; where its missing key is a step that did not run, it says why.

    `block` is the document's own. Whether a branch was taken is read from what the `choose` gave,
    so it is the same wherever and however often it is asked.
    """
    if error.code == "missing-key":
        for expression in _expressions(what, error):
            for path in expression.paths:
                if error.column not in path.columns[1:]:
                    continue
                parts = path.parts[: path.columns.index(error.column) + 1]
                if why := _why(block, parts, scope):
                    error.message, error.did_you_mean = why, None
                    return error
    return error


def _expressions(what: Expression | Value, error: ExpressionError) -> list[Expression]:
    if isinstance(what, Expression):
        return [what]
    return [each for where, each in what.expressions if where == error.where]


def _why(block: Block, parts: tuple[str, ...], scope: Mapping[str, Any]) -> str | None:
    """Follows a path from a step through the branches that were taken."""
    step = next((each for each in _steps(block) if each.id == parts[0]), None)
    value = scope.get(parts[0])
    for key in parts[1:]:
        if not isinstance(step, ChooseStep) or not isinstance(value, dict):
            return None
        taken, said = _taken(step, value)
        if key not in value:
            its_own = next((b for b in _blocks(step) if key in _ids(b)), None)
            return f"step {key} did not run: {said}" if its_own not in (None, taken) else None
        inside = taken.steps if taken is not None and taken.output is None else ()
        step = next((each for each in inside if each.id == key), None)
        value = value[key]
    return None


def _taken(step: ChooseStep, value: dict[str, Any]) -> tuple[Block | None, str]:
    """The block that gave the value, as far as the value tells, and that in words."""
    blocks = _blocks(step)
    fits = [b for b in blocks if b.output is None and _ids(b) == value.keys()]
    if not value or not fits:  # an `output` may be anything
        fits += [b for b in blocks if b.output is not None]
    none_fitted = not value and step.otherwise is None
    if len(fits) + none_fitted != 1:
        return None, "another branch was taken, or none" if none_fitted else (
            "another branch was taken"
        )
    if none_fitted:
        return None, "no branch was taken"
    number = next(n for n, b in enumerate(blocks, 1) if b is fits[0])
    name = "the else branch" if number > len(step.branches) else f"branch {number}"
    return fits[0], f"{name} was taken"


def _blocks(step: ChooseStep) -> list[Block]:
    """The blocks of the branches in their order, then that of `else`."""
    blocks = [branch.block for branch in step.branches]
    return [*blocks, step.otherwise] if step.otherwise is not None else blocks


def _ids(block: Block) -> set[str]:
    return {step.id for step in block.steps}


def _steps(block: Block) -> Iterator[Step]:
    """All steps of a block, those inside its steps included."""
    for step in block.steps:
        yield step
        for each in blocks_in(step):
            yield from _steps(each)
