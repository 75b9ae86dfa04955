"""`for_each`: over the list of an expression, or over a list that a connector gives in pages."""

from libs.language.check_blocks import failures_at, outcome
from libs.language.check_context import STEP_ID, Fields, Made, Scope
from libs.language.check_shapes import ListOf, Shape, item_of
from libs.language.check_steps import BLOCK_KEYS, block_at
from libs.language.check_uses import call_at
from libs.language.check_values import expression_at, new_name, shape_of_expression
from libs.language.expression import Expression
from libs.language.source import pointer_of
from libs.language.steps import PAGES_ITEMS, ForEachStep, Pages

CONCURRENCY_MAX = 1000
PAGES_ITEMS_MAX = 1_000_000
PAGES_KEYS = ("uses", "with", "items", "next", "limit")


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
    failures = failures_at(fields)
    block, shape = block_at(fields, inner, depth + 1)
    result = ListOf(outcome(shape, failures))
    if items is None or as_ is None:
        return Made(None, result)
    pointer = pointer_of(fields.path)
    step = ForEachStep(
        step_id, title, pointer, items, as_, index_as, concurrency, failures, block
    )  # fmt: skip
    return Made(step, result)


def items_at(fields: Fields, scope: Scope) -> tuple[Expression | Pages | None, Shape]:
    """Where a loop's items come from, and what is known about each."""
    if isinstance(fields.value["for_each"], dict):
        return pages_at(Fields(fields.context, fields.at("for_each"), fields.value["for_each"]),
                        scope)  # fmt: skip
    items = expression_at(fields, "for_each", scope)
    if items is None:
        return None, None
    return items, item_of(shape_of_expression(items, scope, fields.context))


def pages_at(fields: Fields, scope: Scope) -> tuple[Pages | None, Shape]:
    """`{uses, with, items, next, limit}`; `page` is the last answer, null in the first `with`."""
    fields.only(PAGES_KEYS, later=("connection",))
    for key, what in (
        ("uses", "the connector that gives a page"),
        ("items", "an expression: the items of `page`"),
        ("next", "an expression: where the next page is, null after the last"),
    ):
        if key not in fields:
            fields.missing(key, what)
    # What the connector answers is known from its card; `page` has it in its own `with` too.
    call, shape = call_at(fields, scope, seen_as="page")
    inner = scope.plus("page", shape)
    items = expression_at(fields, "items", inner) if "items" in fields else None
    following = expression_at(fields, "next", inner) if "next" in fields else None
    limit = fields.integer("limit", 1, PAGES_ITEMS_MAX) or PAGES_ITEMS
    if call is None or items is None or following is None:
        return None, None
    item_shape = item_of(shape_of_expression(items, inner, fields.context))
    return Pages(call.connector, call.version, call.with_, items, following, limit), item_shape


def loop_name(fields: Fields, key: str, scope: Scope) -> str | None:
    """The name of a loop's variable."""
    form = "a name such as an id: a to z, 0 to 9 and _, beginning with a letter"
    name = fields.matching(key, STEP_ID, "bad-id", form)
    if name is None or not new_name(fields.context, fields.at(key), name, scope):
        return None
    return name
