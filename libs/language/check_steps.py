"""Blocks and steps of a document: shapes, ids and scopes, in the order in which they run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from libs.language.check_context import STEP_ID, TITLE_CHARS_MAX, Context, Fields, Scope, duration_s
from libs.language.check_shapes import Keys, ListOf, Shape, item_of, one_of
from libs.language.check_uses import USES_KEYS, USES_LATER, uses_step
from libs.language.check_values import (
    checked_value,
    expression_at,
    new_name,
    shape_of_expression,
    shape_of_value,
    value_at,
)
from libs.language.document import Block, Branch, ChooseStep, ForEachStep, SetStep, Step, WaitStep
from libs.language.scan import OPENING
from libs.language.source import Path, pointer_of

STEPS_MAX = 500
BLOCK_DEPTH_MAX = 10
CONCURRENCY_MAX = 1000
KINDS = ("set", "uses", "choose", "for_each", "wait")
KINDS_LATER = ("parallel", "try", "approval", "workflow", "python", "agent")
BLOCK_KEYS = ("steps", "output")


@dataclass(frozen=True, slots=True)
class Made:
    """A step, None if it has problems, and what is known about its result."""

    step: Step | None
    shape: Shape


def block_at(fields: Fields, scope: Scope, depth: int) -> tuple[Block, Shape]:
    """The `steps` and `output` of an object; the names of its steps end with it."""
    context = fields.context
    raw = fields.value.get("steps")
    steps: list[Step] = []
    results: dict[str, Shape] = {}
    if not isinstance(raw, list):
        detail = "a block has a list `steps`, and perhaps `output`"
        place = fields.at("steps") if "steps" in fields else fields.path
        context.report.problem(place, "block-shape", detail)
    elif depth > BLOCK_DEPTH_MAX:
        detail = f"blocks go deeper than {BLOCK_DEPTH_MAX} levels here"
        context.report.problem(fields.at("steps"), "too-deep", detail)
        raw = []
    for index, each in enumerate(raw if isinstance(raw, list) else []):
        context.steps_count += 1
        if context.steps_count > STEPS_MAX:
            if context.steps_count == STEPS_MAX + 1:
                detail = f"the document has more than {STEPS_MAX} steps"
                context.report.problem((*fields.at("steps"), index), "too-many-steps", detail)
            break
        step_id, made = step_at(context, (*fields.at("steps"), index), each, scope, depth)
        if made.step is not None:
            steps.append(made.step)
        if step_id is not None:
            results[step_id] = made.shape
            scope = scope.plus(step_id, made.shape)
    output = value_at(fields, "output", scope) if "output" in fields else None
    shape: Shape = Keys(results)
    if "output" in fields:
        shape = shape_of_value(fields.value["output"], output, scope, context)
    return Block(tuple(steps), output), shape


def step_at(
    context: Context, path: Path, raw: Any, scope: Scope, depth: int
) -> tuple[str | None, Made]:
    """One step: its id, if it may be seen under it, and what it is."""
    if not isinstance(raw, dict):
        context.report.problem(path, "block-shape", "a step is an object with `id` and one kind")
        return None, Made(None, None)
    fields = Fields(context, path, raw)
    step_id = id_at(fields, scope)
    title = fields.words("title", TITLE_CHARS_MAX)
    kinds = [kind for kind in (*KINDS, *KINDS_LATER) if kind in raw]
    if "python" in kinds and "uses" in kinds:
        kinds.remove("uses")  # the connectors that the Python may call
    if len(kinds) != 1:
        one_kind(fields, kinds)
        return step_id, Made(None, None)
    kind = kinds[0]
    if kind in KINDS_LATER:
        fields.comes_later(kind, kind)
        return step_id, Made(None, None)
    return step_id, STEP_KINDS[kind](fields, step_id or "", title, scope, depth)


def id_at(fields: Fields, scope: Scope) -> str | None:
    """The step's id: well formed, new in the document, and no name that can be seen here."""
    context = fields.context
    if "id" not in fields:
        detail = "a step needs an `id`; its result has that name"
        context.report.problem(fields.path, "id-missing", detail, see="scopes")
        return None
    form = "a to z, 0 to 9 and _, beginning with a letter, at most 40 characters"
    step_id = fields.matching("id", STEP_ID, "bad-id", form)
    if step_id is None:
        return None
    if step_id in context.taken:
        detail = f"another step has the id {step_id!r}; ids are unique in the whole document"
        context.report.problem(fields.at("id"), "id-taken", detail, see="scopes", found=step_id)
        return None
    context.taken.add(step_id)
    return step_id if new_name(context, fields.at("id"), step_id, scope) else None


def one_kind(fields: Fields, kinds: list[str]) -> None:
    """A step is of exactly one kind."""
    every = (*KINDS, *KINDS_LATER)
    if kinds:
        detail = f"a step has one kind, here are {' and '.join(kinds)}"
        fields.report.problem(fields.path, "one-kind", detail, found=kinds[1])
        return
    other = next((key for key in fields.value if key not in ("id", "title")), None)
    detail = f"a step has exactly one of {', '.join(every)}"
    fields.report.problem(fields.path, "one-kind", detail, found=other, near=every)


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


def choose_step(fields: Fields, step_id: str, title: str | None, scope: Scope, depth: int) -> Made:
    """`choose: [{when, steps, output}], else: {steps, output}`."""
    fields.only(("id", "title", "choose", "else"))
    branches: list[Branch] = []
    shapes: list[Shape] = []
    raw = fields.value["choose"]
    if not isinstance(raw, list) or not raw:
        detail = "`choose` is a list of branches, each with `when` and `steps`"
        fields.report.problem(fields.at("choose"), "block-shape", detail)
        raw = []
    for index, each in enumerate(raw):
        branch, shape = branch_at(fields.context, (*fields.at("choose"), index), each, scope, depth)
        shapes.append(shape)
        if branch is not None:
            branches.append(branch)
    otherwise = None
    shape = Keys({})
    other = fields.inner("else")
    if other is not None:
        other.only(BLOCK_KEYS)
        otherwise, shape = block_at(other, scope, depth + 1)
    step = ChooseStep(step_id, title, pointer_of(fields.path), tuple(branches), otherwise)
    return Made(step, one_of([*shapes, shape]))


def branch_at(
    context: Context, path: Path, raw: Any, scope: Scope, depth: int
) -> tuple[Branch | None, Shape]:
    """One branch of a choose."""
    if not isinstance(raw, dict) or ("else" in raw and "when" not in raw):
        detail = "a branch has `when` and `steps`; `else` stands beside `choose`, not in its list"
        context.report.problem(path, "block-shape", detail)
        return None, None
    fields = Fields(context, path, raw)
    fields.only(("when", "name", *BLOCK_KEYS))
    name = fields.words("name", TITLE_CHARS_MAX)
    when = None
    if "when" in fields:
        when = expression_at(fields, "when", scope)
    else:
        fields.missing("when", "the condition of the branch")
    block, shape = block_at(fields, scope, depth + 1)
    return (None if when is None else Branch(when, name, block)), shape


def for_each_step(
    fields: Fields, step_id: str, title: str | None, scope: Scope, depth: int
) -> Made:
    """`for_each: ${{ list }}, as: name`, and a block that runs for each item."""
    fields.only(
        ("id", "title", "for_each", "as", "index_as", "concurrency", "failures", *BLOCK_KEYS)
    )
    items, item_shape = items_at(fields, scope)
    inner = scope
    if "as" not in fields:
        detail = "`for_each` needs `as`: the name of the item in its steps"
        fields.report.problem(fields.path, "as-missing", detail)
    as_ = loop_name(fields, "as", inner)
    inner = inner.plus(as_, item_shape) if as_ else inner
    index_as = loop_name(fields, "index_as", inner)
    inner = inner.plus(index_as, None) if index_as else inner
    concurrency = fields.integer("concurrency", 1, CONCURRENCY_MAX) or 1
    failures = fields.one_of("failures", ("stop", "collect")) or "stop"
    block, shape = block_at(fields, inner, depth + 1)
    if failures == "collect":
        shape = Keys({"ok": None, "value": shape, "error": None})
    if items is None or as_ is None:
        return Made(None, ListOf(shape))
    step = ForEachStep(
        step_id,
        title,
        pointer_of(fields.path),
        items,
        as_,
        index_as,
        concurrency,
        "collect" if failures == "collect" else "stop",
        block,
    )
    return Made(step, ListOf(shape))


def items_at(fields: Fields, scope: Scope) -> tuple[Any, Shape]:
    """The expression of a loop's list, and what is known about its items."""
    if isinstance(fields.value["for_each"], dict):
        fields.comes_later("for_each", "for_each over pages")
        return None, None
    items = expression_at(fields, "for_each", scope)
    if items is None:
        return None, None
    return items, item_of(shape_of_expression(items, scope, fields.context))


def loop_name(fields: Fields, key: str, scope: Scope) -> str | None:
    """The name of a loop's variable."""
    form = "a name such as an id: a to z, 0 to 9 and _, beginning with a letter"
    name = fields.matching(key, STEP_ID, "bad-id", form)
    if name is None or not new_name(fields.context, fields.at(key), name, scope):
        return None
    return name


def wait_step(fields: Fields, step_id: str, title: str | None, scope: Scope, depth: int) -> Made:
    """`wait: {for: duration}` or `wait: {until: ${{ time }}}`."""
    fields.only(("id", "title", "wait"), later=("timeout", "on_timeout"))
    shape = Keys({"reason": None, "at": None, "event": None})
    inner = fields.inner("wait")
    if inner is None:
        return Made(None, shape)
    inner.only(("for", "until"), later=("event", "timeout", "on_timeout"))
    kinds = [key for key in ("for", "until", "event") if key in inner]
    if len(kinds) != 1:
        detail = "`wait` has exactly one of for, until, event"
        fields.report.problem(inner.path, "one-kind", detail)
        return Made(None, shape)
    pointer = pointer_of(fields.path)
    if kinds == ["until"]:
        until = expression_at(inner, "until", scope)
        return Made(until and WaitStep(step_id, title, pointer, None, until), shape)
    if kinds == ["for"]:
        value = wait_for(inner, scope)
        return Made(value and WaitStep(step_id, title, pointer, value, None), shape)
    return Made(None, shape)


def wait_for(fields: Fields, scope: Scope) -> Any:
    """The value of `for`: a duration, or a text with expressions that gives one."""
    raw = fields.value["for"]
    if not isinstance(raw, str):
        fields.wrong_type("for", "a duration such as 30s")
        return None
    value = checked_value(fields.context, fields.at("for"), raw, scope)
    if value is not None and value.is_constant:
        return duration_s(fields.report, fields.at("for"), raw) and value
    return value


def used_step(fields: Fields, step_id: str, title: str | None, scope: Scope, depth: int) -> Made:
    """`uses: name@version`: a connector."""
    fields.only(("id", "title", *USES_KEYS), later=USES_LATER)
    step, shape = uses_step(fields, step_id, title, scope)
    return Made(step, shape)


STEP_KINDS: dict[str, Callable[[Fields, str, str | None, Scope, int], Made]] = {
    "set": set_step,
    "uses": used_step,
    "choose": choose_step,
    "for_each": for_each_step,
    "wait": wait_step,
}
