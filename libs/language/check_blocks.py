"""Steps that hold named or conditional blocks: choose, parallel, and try with catch and finally."""

import re
from typing import Any

from libs.language.check_context import STEP_ID, TITLE_CHARS_MAX, Context, Fields, Made, Scope
from libs.language.check_shapes import Keys, Shape, one_of
from libs.language.check_steps import BLOCK_KEYS, ERROR_SHAPE, block_at, inner_block
from libs.language.check_values import expression_at
from libs.language.source import Path, pointer_of
from libs.language.steps import Block, Branch, ChooseStep, Failures, Handler, ParallelStep, TryStep

PARALLEL_MAX = 100
HANDLERS_MAX = 20
CAUGHT_MAX = 20
# What `catch` can name (§7.1). `cancelled` can't be caught.
ERROR_TYPES = (
    *("timeout", "connection", "rate-limited", "server-error", "client-error", "egress-refused"),
    *("input-invalid", "output-too-large", "approval-rejected", "approval-timeout"),
    *("wait-timeout", "workflow-failed", "python-error", "interrupted", "budget-exceeded"),
)
# `expression` is every error of an expression, `expression-type` and such one of them.
EXPRESSION_TYPE = re.compile(r"expression(-[a-z]+)*")


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
    otherwise, shape = None, Keys({})
    if "else" in fields:
        otherwise, shape = inner_block(fields, "else", scope, depth)
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


def failures_at(fields: Fields) -> Failures:
    """What the failure of one item or branch does to the others."""
    found = fields.one_of("failures", ("stop", "collect"))
    return "collect" if found == "collect" else "stop"


def outcome(shape: Shape, failures: Failures) -> Shape:
    """What one item or branch gives: with `collect` {ok: true, value} or {ok: false, error}."""
    if failures == "stop":
        return shape
    return Keys({"ok": None, "value": shape, "error": ERROR_SHAPE})


def parallel_step(
    fields: Fields, step_id: str, title: str | None, scope: Scope, depth: int
) -> Made:
    """`parallel: {name: {steps, output}}`; no branch sees another one's steps."""
    fields.only(("id", "title", "parallel", "failures"))
    failures = failures_at(fields)
    raw = fields.value["parallel"]
    if not isinstance(raw, dict) or not raw:
        detail = "`parallel` is an object of blocks by name: {name: {steps: […]}}"
        fields.report.problem(fields.at("parallel"), "block-shape", detail)
        return Made(None, None)
    inner = Fields(fields.context, fields.at("parallel"), raw)
    if len(raw) > PARALLEL_MAX:
        detail = f"at most {PARALLEL_MAX} branches are allowed; `for_each` runs over any list"
        fields.report.problem(inner.path, "too-many", detail)
    branches: dict[str, Block] = {}
    shapes: dict[str, Shape] = {}
    for name in list(raw)[:PARALLEL_MAX]:
        branch_name(inner, name)
        block, shape = inner_block(inner, name, scope, depth)
        shapes[name] = outcome(shape, failures)
        if block is not None:
            branches[name] = block
    step = ParallelStep(step_id, title, pointer_of(fields.path), branches, failures)
    return Made(step, Keys(shapes))


def branch_name(fields: Fields, name: str) -> None:
    """A branch is named as a step is, so that its value can be read as `both.name`."""
    if STEP_ID.fullmatch(name):
        return
    rule = "expression-in-key" if "${{" in name else "bad-name"
    detail = (
        "a branch's name is a to z, 0 to 9 and _, beginning with a letter, at most 40 characters"
    )
    fields.report.problem(fields.at(name), rule, detail, of_key=True, found=name)


def try_step(fields: Fields, step_id: str, title: str | None, scope: Scope, depth: int) -> Made:
    """`try: {…}, catch: [{on, undo, steps, output}], finally: {steps}`.

    `catch` and `finally` see what the `try` saw, not its steps: any of them may not have run.
    """
    fields.only(("id", "title", "try", "catch", "finally"))
    body, shape = inner_block(fields, "try", scope, depth)
    shapes, handlers = [shape], list[Handler]()
    everything = False
    raw = fields.value.get("catch", [])
    if not isinstance(raw, list):
        detail = "`catch` is a list of handlers, each with `steps` and perhaps `on`"
        fields.report.problem(fields.at("catch"), "block-shape", detail)
        raw = []
    if len(raw) > HANDLERS_MAX:
        detail = f"at most {HANDLERS_MAX} handlers are allowed"
        fields.report.problem(fields.at("catch"), "too-many", detail)
    for index, each in enumerate(raw[:HANDLERS_MAX]):
        path = (*fields.at("catch"), index)
        if everything:
            detail = "a handler before this one takes every error: this one never runs"
            fields.report.warning(path, "never-reached", detail)
        handler, shape = handler_at(fields.context, path, each, scope, depth)
        shapes.append(shape)
        if handler is not None:
            handlers.append(handler)
            everything = everything or handler.on is None
    last = finally_at(fields, scope, depth)
    if body is None:
        return Made(None, None)
    step = TryStep(step_id, title, pointer_of(fields.path), body, tuple(handlers), last)
    return Made(step, one_of(shapes))


def handler_at(
    context: Context, path: Path, raw: Any, scope: Scope, depth: int
) -> tuple[Handler | None, Shape]:
    """One handler; it sees `error` beside what the `try` saw."""
    if not isinstance(raw, dict):
        detail = "a handler is an object with `steps`, and perhaps `on`, `undo` and `output`"
        context.report.problem(path, "block-shape", detail)
        return None, None
    fields = Fields(context, path, raw)
    fields.only(("on", "undo", *BLOCK_KEYS))
    caught = caught_at(fields) if "on" in fields else None
    undo = fields.boolean("undo") if "undo" in fields else True
    block, shape = block_at(fields, scope.plus("error", ERROR_SHAPE), depth + 1)
    return Handler(caught, undo, block), shape


def caught_at(fields: Fields) -> tuple[str, ...]:
    """The error types of a handler."""
    types: list[str] = []
    known = (*ERROR_TYPES, "expression")
    if fields.value["on"] == []:
        detail = "`on` names no error; without `on` a handler takes every one"
        fields.report.problem(fields.at("on"), "too-few", detail)
    for path, text in fields.texts("on", CAUGHT_MAX):
        if text in ERROR_TYPES or EXPRESSION_TYPE.fullmatch(text):
            types.append(text)
        elif text == "cancelled":
            detail = "a cancellation can't be caught; `finally` runs after it too"
            fields.report.problem(path, "not-one-of", detail, found=text)
        else:
            detail = f"`on` lists error types: {', '.join(known)}"
            fields.report.problem(path, "not-one-of", detail, found=text, near=known)
    return tuple(types)


def finally_at(fields: Fields, scope: Scope, depth: int) -> Block | None:
    """The steps that run in any case; they have no value."""
    inner = fields.inner("finally")
    if inner is None:
        return None
    if "output" in inner:
        detail = "`finally` has no `output`: what the `try` gives is decided when it runs"
        fields.report.problem(inner.at("output"), "finally-output", detail, of_key=True)
    inner.only(BLOCK_KEYS)
    rest = {key: value for key, value in inner.value.items() if key != "output"}
    return block_at(Fields(fields.context, inner.path, rest), scope, depth + 1)[0]
