"""The language's own JSON Schema: steps, one kind each, and the blocks that they hold."""

from libs.language import check_blocks, check_loops, check_people, check_python, check_steps
from libs.language.check_calls import VERSION_MAX, WORKFLOW_NAME
from libs.language.check_context import STEP_ID, TITLE_CHARS_MAX
from libs.language.editor_calls import call_parts
from libs.language.editor_fields import (
    BOOLEAN,
    DURATION,
    EXPRESSION,
    JSON_SCHEMA,
    LITERAL,
    NO_EXPRESSION,
    VALUE,
    Schema,
    closed,
    integer,
    list_of,
    one_of,
    ref,
    said,
    text,
    words,
)
from libs.language.editor_triggers import EVENT_TYPE

NAME = text(STEP_ID.pattern)
BLOCK = {
    "steps": said(ref("steps"), "What runs, in this order."),
    "output": said(VALUE, "What the block gives; without it, its steps' results by id."),
}
FAILURES = said(
    one_of("stop", "collect"),
    "`stop`: the first failure ends the others and fails the step. `collect`: each gives"
    " {ok: true, value} or {ok: false, error}.",
)


def step_parts() -> Schema:
    """The step, its kinds, and what stands inside of them."""
    kinds = {
        "set": set_(),
        "uses": uses(),
        "choose": choose(),
        "for_each": loop(),
        "parallel": parallel(),
        "try": try_(),
        "wait": wait(),
        "approval": approval(),
        "workflow": workflow(),
        "python": python(),
    }
    return {
        "steps": {
            "description": "Steps in the order in which they run.",
            "type": "array",
            "maxItems": check_steps.STEPS_MAX,
            "items": ref("step"),
        },
        "block": closed("Steps with a scope of their own.", BLOCK, ("steps",)),
        "step": {
            "description": "One step, of exactly one kind.",
            "oneOf": [ref(kind) for kind in kinds],
        },
        **kinds,
        "branch": branch(),
        "pages": pages(),
        "handler": handler(),
        **call_parts(),
    }


def step(description: str, properties: Schema, required: tuple[str, ...]) -> Schema:
    """A step of one kind."""
    common = {
        "id": said(NAME, "Names the step and its result; unique in the whole document."),
        "title": said(words(TITLE_CHARS_MAX), "What people read."),
    }
    return closed(description, {**common, **properties}, ("id", *required))


def set_() -> Schema:
    """`set`."""
    values = {"type": "object", "propertyNames": NO_EXPRESSION}
    meaning = "Values by name; they don't see each other."
    return step("Computes values; its result is the object.", {"set": said(values, meaning)},
                ("set",))  # fmt: skip


def uses() -> Schema:
    """`uses`."""
    properties = {
        "uses": said(ref("connector"), "The connector and its version."),
        "with": said({"type": "object"}, "What it gets. Secrets may stand here."),
        "retry": said(ref("retry"), "When it is tried again."),
        "timeout": said(DURATION, "Of one attempt; 30s without it."),
        "deadline": said(DURATION, "Of the step with all attempts and pauses."),
        "once": said(BOOLEAN, "After a crash in mid-effect it fails instead of trying again."),
        "undo": said(ref("undo"), "What reverses it."),
    }
    return step("Calls a connector; its result is the connector's answer.", properties, ("uses",))


def choose() -> Schema:
    """`choose`."""
    branches = {"type": "array", "minItems": 1, "items": ref("branch")}
    properties = {
        "choose": said(branches, "Branches; the first one whose `when` is true runs."),
        "else": said(ref("block"), "What runs when none fits; without it the result is {}."),
    }
    return step("Runs one of several branches; its result is that branch's value.", properties,
                ("choose",))  # fmt: skip


def branch() -> Schema:
    """One `when` of a choose."""
    properties = {
        "when": said(EXPRESSION, "Gives true or false."),
        "name": said(words(TITLE_CHARS_MAX), "What people read."),
        **BLOCK,
    }
    return closed("A branch of `choose`.", properties, ("when", "steps"))


def loop() -> Schema:
    """`for_each`."""
    items = {"anyOf": [EXPRESSION, ref("pages")]}
    concurrency = {**integer(1, check_loops.CONCURRENCY_MAX), "default": 1}
    properties = {
        "for_each": said(items, "The list, or pages of one; evaluated once."),
        "as": said(NAME, "The name of the item in the steps."),
        "index_as": said(NAME, "The name of the item's number, from 0."),
        "concurrency": said(concurrency, "How many items run at once."),
        "failures": FAILURES,
        **BLOCK,
    }
    description = "Runs a block for each item of a list; its result is the list of their values."
    return step(description, properties, ("for_each", "as", "steps"))


def pages() -> Schema:
    """The long form of `for_each`."""
    limit = {**integer(1, check_loops.PAGES_ITEMS_MAX), "default": 10_000}
    properties = {
        "uses": said(ref("connector"), "The connector that gives a page."),
        "with": said({"type": "object"}, "What it gets; `page` is the last answer, first null."),
        "items": said(EXPRESSION, "The list in `page`."),
        "next": said(EXPRESSION, "Where the next page is; null ends."),
        "limit": said(limit, "After how many items it ends."),
    }
    description = "A list that a connector gives page by page; `page` is its last answer."
    return closed(description, properties, ("uses", "items", "next"))


def parallel() -> Schema:
    """`parallel`."""
    branches = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": check_blocks.PARALLEL_MAX,
        "propertyNames": NAME,
        "additionalProperties": ref("block"),
    }
    properties = {"parallel": said(branches, "Blocks by name."), "failures": FAILURES}
    description = "Runs named blocks at once; its result is their values by name."
    return step(description, properties, ("parallel",))


def try_() -> Schema:
    """`try`."""
    handlers = {"type": "array", "maxItems": check_blocks.HANDLERS_MAX, "items": ref("handler")}
    last = closed("Steps without a value.", {"steps": BLOCK["steps"]}, ("steps",))
    properties = {
        "try": said(ref("block"), "What is tried."),
        "catch": said(handlers, "The first handler that fits the error runs."),
        "finally": said(last, "Runs in any case, also on cancel."),
    }
    description = "Handles errors; its result is the value of `try`, or of the handler that ran."
    return step(description, properties, ("try",))


def handler() -> Schema:
    """One `catch`."""
    known = [*check_blocks.ERROR_TYPES, "expression"]
    types = {"anyOf": [{"enum": known}, text(check_blocks.EXPRESSION_TYPE.pattern)]}
    caught = list_of(types, check_blocks.CAUGHT_MAX, 1)
    properties = {
        "on": said(caught, "Types of errors; without it every one. `expression` is all of those."),
        "undo": said(
            {"type": "boolean", "default": True},
            "Whether the effects inside the `try` are undone before the steps run.",
        ),
        **BLOCK,
    }
    return closed("A handler; `error` is what happened.", properties, ("steps",))


def wait() -> Schema:
    """`wait`."""
    for_ = {"anyOf": [DURATION, {"type": "string", "pattern": r"\$\{\{"}]}
    event = {
        "type": said(EVENT_TYPE, "Of which type the event is."),
        "match": said(EXPRESSION, "Whether an event fits; sees `event`."),
        "look_back": said(DURATION, "How old it may be; without it, as old as the execution."),
    }
    inner = {
        "for": said(for_, "How long; expressions may give it."),
        "until": said(EXPRESSION, "A time, RFC 3339."),
        "event": closed("An event that ends the wait.", event, ("type",)),
        "timeout": said(DURATION, "When to give up."),
        "on_timeout": said(one_of("fail", "continue"), "What then; the error is wait-timeout."),
    }
    waits = closed(
        "One of `for`, `until`, `event`.",
        inner,
        oneOf=[{"required": [key]} for key in ("for", "until", "event")],
        dependentRequired={"on_timeout": ["timeout"]},
    )
    description = "Waits; its result is {reason: due, event or timed-out, at, event}."
    return step(description, {"wait": waits}, ("wait",))


def approval() -> Schema:
    """`approval`."""
    roles = [f"role:{role}" for role in check_people.ROLES]
    who = {"anyOf": [{"enum": roles}, text(check_people.PERSON.pattern)]}
    edited = {
        "schema": said(JSON_SCHEMA, "Of what may be edited."),
        "value": said(VALUE, "What stands there when they are asked."),
    }
    quorum = {**integer(1, check_people.QUORUM_MAX), "default": 1}
    inner = {
        "by": said(list_of(who, check_people.BY_MAX, 1), "Who may decide."),
        "quorum": said(quorum, "How many must approve."),
        "message": said({"type": "string"}, "What they are asked; may hold expressions."),
        "input": closed("What they may edit before they approve.", edited, ("schema", "value")),
        "timeout": said(DURATION, "How long they have; without it, as long as the execution."),
        "on_timeout": said(one_of("reject", "approve", "fail"), "What happens then."),
        "on_reject": said(one_of("fail", "continue"), "What a rejection does to the step."),
        "remind": said(DURATION, "After how long they are reminded, again and again."),
        "not_the_starter": said(BOOLEAN, "Who started the execution can't decide."),
    }
    asked = closed(
        "Who is asked, and what.",
        inner,
        ("by", "message"),
        dependentRequired={"on_timeout": ["timeout"]},
    )
    description = (
        "Asks people; its result is {decision: approved, rejected or timed-out, decided_by,"
        " comment, input, at}. Whoever changes the input is the first to approve it: those before"
        " have to agree anew."
    )
    return step(description, {"approval": asked}, ("approval",))


def workflow() -> Schema:
    """`workflow`."""
    version = {"anyOf": [integer(1, VERSION_MAX), {"const": "latest"}]}
    properties = {
        "workflow": said(text(WORKFLOW_NAME.pattern), "The name of the other workflow."),
        "version": said(version, "Without it, the one published when this one was."),
        "with": said(VALUE, "Its input."),
        "detached": said(BOOLEAN, "Don't wait for it; the result is {execution}."),
    }
    description = (
        "Runs another workflow; its result is that one's output. When this execution's effects are"
        " undone, so are that one's, in its place of the order; a cancelled branch cancels it."
        " None of this if it is `detached`."
    )
    return step(description, properties, ("workflow",))


def python() -> Schema:
    """`python`."""
    code = {**LITERAL, "maxLength": check_python.CODE_BYTES_MAX}
    names = {
        "type": "object",
        "maxProperties": check_python.NAMES_MAX,
        "propertyNames": text(check_python.PYTHON_NAME.pattern),
    }
    called = list_of(ref("connector"), check_python.USES_MAX)
    properties = {
        "python": said(code, "The body of a function; it ends with `return`."),
        "with": said(names, "The names that it sees."),
        "uses": said(called, "Connectors that it may call: http-request is http_request(…)."),
        "timeout": said(DURATION, "Of the whole step; 30s without it."),
    }
    return step("Sandboxed Python; its result is what it returns.", properties, ("python",))
