"""Blocks and steps of a document: shapes, ids and scopes, in the order in which they run."""

from typing import Any

from libs.language.check_context import (
    STEP_ID,
    TITLE_CHARS_MAX,
    Context,
    Fields,
    Made,
    Scope,
)
from libs.language.check_shapes import Keys, Shape
from libs.language.check_values import new_name, shape_of_value, value_at
from libs.language.source import Path
from libs.language.steps import Block, Step

STEPS_MAX = 500
BLOCK_DEPTH_MAX = 10
KINDS = (
    *("set", "uses", "choose", "for_each", "parallel", "try", "wait", "approval"),
    *("workflow", "python"),
)
KINDS_LATER = ("agent",)
BLOCK_KEYS = ("steps", "output")
ERROR_KEYS = ("type", "message", "step", "path", "attempts", "status", "at")
ERROR_SHAPE = Keys(dict.fromkeys(ERROR_KEYS))


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


def inner_block(fields: Fields, key: str, scope: Scope, depth: int) -> tuple[Block | None, Shape]:
    """The block under a key, one level deeper; None if it is none."""
    inner = fields.inner(key)
    if inner is None:
        return None, None
    inner.only(BLOCK_KEYS)
    return block_at(inner, scope, depth + 1)


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
    return step_id, context.kinds[kind](fields, step_id or "", title, scope, depth)


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
