"""How each kind of step is read: the table, and the kinds that are a line or two."""

from collections.abc import Mapping

from libs.language.check_blocks import choose_step, parallel_step, try_step
from libs.language.check_calls import workflow_step
from libs.language.check_context import Fields, Made, Scope, StepKind
from libs.language.check_loops import for_each_step
from libs.language.check_people import approval_step
from libs.language.check_python import python_step
from libs.language.check_shapes import Keys
from libs.language.check_uses import uses_step
from libs.language.check_values import shape_of_value, value_at
from libs.language.check_waits import wait_step
from libs.language.scan import OPENING
from libs.language.source import pointer_of
from libs.language.steps import SetStep


def set_step(fields: Fields, step_id: str, title: str | None, scope: Scope, depth: int) -> Made:
    """`set: {name: value}`; the keys don't see each other."""
    fields.only(("id", "title", "set"))
    inner = fields.inner("set")
    if inner is None:
        return Made(None, None)
    values = {key: value_at(inner, key, scope) for key in inner.value}
    shapes = {
        key: shape_of_value(inner.value[key], value, scope, fields.context)
        for key, value in values.items()
    }
    inner.only([key for key in inner.value if OPENING not in key])
    whole = {key: value for key, value in values.items() if value is not None}
    return Made(SetStep(step_id, title, pointer_of(fields.path), whole), Keys(shapes))


STEP_KINDS: Mapping[str, StepKind] = {
    "set": set_step,
    "uses": uses_step,
    "choose": choose_step,
    "for_each": for_each_step,
    "parallel": parallel_step,
    "try": try_step,
    "wait": wait_step,
    "approval": approval_step,
    "workflow": workflow_step,
    "python": python_step,
}
