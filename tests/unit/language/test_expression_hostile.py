"""Expressions written to cost much: the budget ends them, with little time and memory."""

import time
import tracemalloc
from typing import Any

import pytest

from libs.language import ExpressionError, NeedsWorker, compile_expression, compile_value

NOW = "2026-03-01T12:00:00.000Z"
LONG = "a" * 1_000_000
SCOPE: dict[str, Any] = {
    "l": list(range(300)),
    "t": LONG,
    "u": LONG[:-1] + "b",
    "v": "".join(["a"] * 1_000_000),
    "o": {f"key{at}": {"n": at} for at in range(500)},
}


def doubled(start: str, body: str, times: int) -> str:
    """An expression that puts the value into itself so many times, by comprehensions."""
    for at in range(times):
        start = f"[{body.replace('x', f'x{at}')} for x{at} in {start}]"
    return start


SHARED = doubled("[1]", "[x, x]", 28)
TOO_EXPENSIVE = {
    "four loops": "[1 for a in l for b in l for c in l for d in l]",
    "nested loops": "[[[[a for d in l] for c in l] for b in l] for a in l]",
    "ranges": "[a for a in range(10000) for b in range(10000)]",
    "many ranges": "[range(10000) for a in range(10000)]",
    "text of what is shared": f"text({SHARED})",
    "json of what is shared": f"len(to_json({SHARED}))",
    "equality of what is shared": f"{SHARED} == {SHARED}",
    "what is shared in a list": f"{SHARED} in [{SHARED}]",
    "unique of what is shared": f"unique([{SHARED}, {SHARED}])",
    "result that is shared": SHARED,
    "objects that are shared": doubled("[1]", "{'a': x, 'b': x}", 25),
    "text doubled": doubled("['aaaaaaaaaaaaaaaa']", "x + x", 40),
    "list doubled": f"len({doubled('[[1]]', 'x + x', 40)}[0])",
    "joined": "[join([t, t], '') for a in range(100)]",
    "joined many": "join([t for a in range(10000)], '')",
    "joined by": "join(['' for a in range(1000)], t)",
    "replaced": "replace(t, 'a', t)",
    "split": "split(t, 'a')",
    "split often": "[split(slice(t, 0, 1000), 'a') for a in range(10000)]",
    "flattened": "flatten([range(10000) for a in range(30)] + [range(10000) for a in l])",
    "sorted": "[sort(range(10000)) for a in range(10000)]",
    "sorted texts": "sort([t for a in range(300)])",
    "minimum": "min([t for a in range(300)])",
    "texts ordered": "[t < v for a in range(10000)]",
    "texts equal": "[t == v for a in range(10000)]",
    "text in text": "[u in t for a in range(10000)]",
    "text in list": "[u in [t, t, t] for a in range(10000)]",
    "long keys": "[{t: 1} == {v: 1} for a in range(10000)]",
    "long keys read": "[{t: 1}[v] for a in range(10000)]",
    "long keys asked": "[has({'a': 1}) for a in range(10000)]".replace("{'a': 1}", "o[t]"),
    "long keys got": "[get({t: 1}, v, 0) for a in range(10000)]",
    "hashed": "[sha256(t) for a in range(100)]",
    "merged": "[merge(o, o) for a in range(10000)]",
    "objects": "[{'a': 1} for a in range(10000) for b in l]",
    "zipped": "[zip(l, l) for a in range(10000)]",
    "items": "[items(o) for a in range(10000)]",
    "slices": "[t[1:] for a in range(10000)]",
    "lists cut": "[range(10000)[1:] for a in range(10000)]",
    "reversed": "[reverse(l) for a in range(10000)]",
    "object of all": "{text(a * 300 + b): a for a in range(10000) for b in l}",
    "upper": "[upper(t) for a in range(100)]",
    "from json": "from_json('[' + join(['[]' for a in range(10000)], ',') + ']') + "
    "[from_json('[' + join(['{}' for b in range(3000)], ',') + ']') for a in l]",
    "times": "[format_time(now(), '%Y', 'Europe/Vilnius') for a in range(10000) for b in l]",
    "result": "[t, t]",
    "result of long parts": "[slice(t, 0, 20000) for a in range(100)]",
    "result from the scope": "{'a': t, 'b': t}",
}


@pytest.mark.parametrize("text", TOO_EXPENSIVE.values(), ids=TOO_EXPENSIVE)
def test_what_costs_too_much_ends_early(text: str) -> None:
    expression = compile_expression(text)
    tracemalloc.start()
    begun = time.thread_time()
    with pytest.raises(ExpressionError) as refused:
        expression.evaluate(SCOPE, NOW)
    spent = time.thread_time() - begun
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.code == "expression-too-expensive"
    assert peak < 32 * 1024 * 1024
    # Processor time of this thread, under a tracer that makes it several times slower.
    assert spent < 3


@pytest.mark.parametrize("text", TOO_EXPENSIVE.values(), ids=TOO_EXPENSIVE)
def test_an_event_loop_gives_it_to_the_worker(text: str) -> None:
    with pytest.raises(NeedsWorker):
        compile_expression(text).evaluate_inline(SCOPE, NOW)


def test_a_large_value_passes_whole_while_it_is_under_one_mib() -> None:
    assert compile_expression("t").evaluate(SCOPE, NOW) == LONG
    assert compile_expression("[slice(t, 0, 500000), l]").evaluate(SCOPE, NOW)[1] == SCOPE["l"]


def test_what_is_written_counts_with_its_escapes() -> None:
    scope = {"t": "\0" * 200_000}
    with pytest.raises(ExpressionError) as refused:
        compile_expression("t").evaluate(scope, NOW)
    assert refused.value.code == "expression-too-expensive"


def test_the_budget_does_not_depend_on_how_values_share_memory() -> None:
    inner = list(range(50))
    shared = {"l": [inner, inner, inner]}
    apart = {"l": [list(range(50)) for _ in range(3)]}
    expression = compile_expression("[l == l, l[0] in l, unique(l), text(l)]")
    assert steps_needed(expression, shared) == steps_needed(expression, apart)


def steps_needed(expression: Any, scope: dict[str, Any]) -> int:
    """The smallest budget with which it is evaluated."""
    low, high = 0, 200_000
    while low < high:
        middle = (low + high) // 2
        try:
            expression.evaluate(scope, NOW, middle)
            high = middle
        except ExpressionError:
            low = middle + 1
    return low


def test_the_texts_of_a_value_share_one_budget() -> None:
    half = "${{ len([1 for a in range(10000) for b in range(12)]) }}"
    assert compile_value({"a": half}, "").evaluate({}, NOW) == {"a": 120_000}
    with pytest.raises(ExpressionError) as refused:
        compile_value({"a": half, "b": [half]}, "").evaluate({}, NOW)
    assert (refused.value.code, refused.value.where) == ("expression-too-expensive", "/b/0")


def test_the_texts_of_a_value_share_one_limit_of_the_result() -> None:
    scope = {"t": "a" * 600_000}
    with pytest.raises(ExpressionError) as refused:
        compile_value(["${{ t }}", "x${{ t }}"], "").evaluate(scope, NOW)
    assert (refused.value.code, refused.value.where) == ("expression-too-expensive", "/1")
