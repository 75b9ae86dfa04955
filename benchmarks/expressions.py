"""E: an ordinary expression in a small and in a large context, and how soon hostile ones end."""

import json
import time
from typing import Any

from libs.language import ExpressionError, compile_expression

CHOSEN = "[i.name for i in fetch.json.items if i.price > 10.0]"
NOW = "2026-03-01T12:00:00.000Z"
TIMES, ROUNDS = 200, 25
SMALL_BYTES, LARGE_BYTES = 14_000, 650_000
HOSTILE = (
    "[1 for a in l for b in l for c in l for d in l]",
    "[range(10000) for a in range(10000)]",
    "[t == v for a in range(10000)]",
    "[u in [t, t, t] for a in range(10000)]",
    "join([t for a in range(10000)], '')",
    "[{t: 1} == {v: 1} for a in range(10000)]",
    "[sha256(t) for a in range(100)]",
    "sort([t for a in range(300)])",
    "[merge(o, o) for a in range(10000)]",
)


def measure() -> dict[str, Any]:
    """Microseconds of one evaluation (the best of several rounds), seconds of the worst hostile."""
    return {
        "small_us": _each_us(SMALL_BYTES),
        "large_us": _each_us(LARGE_BYTES),
        "hostile_s": max(_until_the_end_s(text, _hostile_scope()) for text in HOSTILE),
    }


def _each_us(size: int) -> float:
    scope = context(size)
    expression = compile_expression(CHOSEN)
    wanted = [i["name"] for i in scope["fetch"]["json"]["items"] if i["price"] > 10.0]
    assert expression.evaluate_inline(scope, NOW) == wanted, "the expression gives what it should"
    rounds: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(TIMES):
            expression.evaluate_inline(scope, NOW)
        rounds.append((time.perf_counter() - began) / TIMES)
    return min(rounds) * 1e6


def context(size: int) -> dict[str, Any]:
    """A hundred items, half of them dearer than ten, in a context of so many bytes of JSON."""
    items = [{"name": f"item {n}", "price": n / 5, "stock": n} for n in range(100)]
    scope: dict[str, Any] = {"fetch": {"status": 200, "json": {"items": items}}, "rest": []}
    row = {"id": "0" * 32, "text": "some text of a row"}
    more = (size - len(json.dumps(scope))) // (len(json.dumps(row)) + 2)
    scope["rest"] = [row] * max(0, more)
    return scope


def _hostile_scope() -> dict[str, Any]:
    long = "a" * 1_000_000
    return {
        "l": list(range(300)), "t": long, "u": long[:-1] + "b", "v": "".join(["a"] * 1_000_000),
        "o": {f"key{at}": {"n": at} for at in range(500)},
    }  # fmt: skip


def _until_the_end_s(text: str, scope: dict[str, Any]) -> float:
    expression = compile_expression(text)
    began = time.perf_counter()
    try:
        expression.evaluate(scope, NOW)
    except ExpressionError as error:
        if error.code != "expression-too-expensive":
            raise
        return time.perf_counter() - began
    raise AssertionError(f"not hostile enough: {text}")
