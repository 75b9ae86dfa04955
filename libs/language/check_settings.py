"""What holds for all executions of a workflow: concurrency, debounce, rate, priority, budget."""

from libs.language.check_context import Fields, Scope
from libs.language.check_shapes import look
from libs.language.check_values import expression_at
from libs.language.document import Concurrency, Debounce, Rate
from libs.language.expression import Expression

CONCURRENT_MAX = 1000
RATE_MAX = 1_000_000
BUDGET_STEPS_MAX = 10_000_000
PRIORITY_MIN, PRIORITY_MAX = -10, 10
CONCURRENCY_THEN = ("queue", "reject", "cancel-running")
RATE_THEN = ("queue", "reject")
# What a key sees: it is evaluated when something is about to start, before there is an execution.
KEY_NAMES = ("input", "trigger", "workflow", "vars")


def key_at(fields: Fields, scope: Scope) -> Expression | None:
    """The optional `key`: what is counted apart. None: the workflow as a whole."""
    if "key" not in fields:
        return None
    return expression_at(fields, "key", Scope({name: scope.names[name] for name in KEY_NAMES}))


def concurrency_at(fields: Fields, scope: Scope) -> Concurrency | None:
    """`concurrency: {key, limit, then}`; those above the limit are queued unless said otherwise."""
    inner = fields.inner("concurrency")
    if inner is None:
        return None
    inner.only(("key", "limit", "then"))
    key = key_at(inner, scope)
    limit = needed_integer(inner, "limit", CONCURRENT_MAX, "how many run at once")
    then = inner.one_of("then", CONCURRENCY_THEN)
    if then == "reject" or then == "cancel-running":
        return Concurrency(key, limit, then)
    return Concurrency(key, limit, "queue")


def debounce_at(fields: Fields, scope: Scope) -> Debounce | None:
    """`debounce: {key, window, max, collect}`.

    With `collect` the execution's input is `{"items": [every input]}`, and the document's schema
    is that of this object; the key sees each single input, of which nothing is known.
    """
    inner = fields.inner("debounce")
    if inner is None:
        return None
    inner.only(("key", "window", "max", "collect"))
    collect = inner.boolean("collect")
    key = key_at(inner, scope.plus("input", None) if collect else scope)
    if collect and look(scope.names["input"], "items", fields.context.looks)[0] == "closed":
        detail = 'with `collect` the input is {"items": […]}; the input\'s schema has no such key'
        fields.report.problem(inner.at("collect"), "input-invalid", detail, see="triggers")
    window_s = needed_duration(inner, "window", "how long it must be quiet")
    max_s = inner.duration("max")
    if max_s is not None and window_s is not None and max_s < window_s:
        detail = "`max` is the longest delay in all; it can't be shorter than `window`"
        fields.report.problem(inner.at("max"), "out-of-range", detail)
    return Debounce(key, window_s or 0.0, max_s, collect)


def rate_at(fields: Fields, scope: Scope) -> Rate | None:
    """`rate: {key, limit, per, then}`; starts above the limit wait unless said otherwise."""
    inner = fields.inner("rate")
    if inner is None:
        return None
    inner.only(("key", "limit", "per", "then"))
    key = key_at(inner, scope)
    limit = needed_integer(inner, "limit", RATE_MAX, "how many may start")
    per_s = needed_duration(inner, "per", "in which time, such as 1m")
    then = inner.one_of("then", RATE_THEN)
    return Rate(key, limit, per_s or 0.0, "reject" if then == "reject" else "queue")


def priority_at(fields: Fields) -> int:
    """Higher is claimed first within the organization."""
    return fields.integer("priority", PRIORITY_MIN, PRIORITY_MAX) or 0


def budget_at(fields: Fields) -> tuple[int | None, float | None]:
    """`budget: {steps, duration}`; tokens and cost come with the connectors that use them."""
    inner = fields.inner("budget")
    if inner is None:
        return None, None
    inner.only(("steps", "duration"), later=("tokens", "cost"))
    return inner.integer("steps", 1, BUDGET_STEPS_MAX), inner.duration("duration")


def needed_integer(fields: Fields, key: str, high: int, what: str) -> int:
    """An integer from 1 that must be there."""
    if key not in fields:
        fields.missing(key, what)
    return fields.integer(key, 1, high) or 1


def needed_duration(fields: Fields, key: str, what: str) -> float | None:
    """A duration that must be there."""
    if key not in fields:
        fields.missing(key, what)
    return fields.duration(key)
