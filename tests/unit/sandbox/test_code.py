"""Code in the sandbox: what it is given, what it gives back, and how its errors are told."""

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.sandbox import LimitReached, PythonFailed, Returned, Sandbox

ORDERS = [{"id": "a", "price": 12.5}, {"id": "b", "price": 8}]


async def value_of(sandbox: Sandbox, code: str, **names: Any) -> Any:
    ended = await sandbox.begin(code, names)
    assert isinstance(ended, Returned)
    return ended.value


async def failure_of(sandbox: Sandbox, code: str) -> PythonFailed:
    with pytest.raises(PythonFailed) as caught:
        await sandbox.begin(code, {})
    return caught.value


async def test_code_sees_its_names_as_plain_values_and_returns_json(sandbox: Sandbox):
    code = """
dear = [order["id"] for order in orders if order["price"] > 10.0]
if dear:
    return {"dear": dear, "sum": sum(order["price"] for order in orders), "pair": (1, None)}
return {}
"""

    value = await value_of(sandbox, code, orders=ORDERS)

    assert value == {"dear": ["a"], "sum": 20.5, "pair": [1, None]}


async def test_a_name_can_be_given_another_value(sandbox: Sandbox):
    assert await value_of(sandbox, "n = n + 1\nreturn n", n=1) == 2


async def test_what_one_run_leaves_another_does_not_see(sandbox: Sandbox):
    await sandbox.begin("left = mine\ndef f(): return left\nreturn f()", {"mine": 1})

    for name in ("left", "mine", "f"):
        assert (await failure_of(sandbox, f"return {name}")).type == "NameError"


async def test_code_without_return_gives_null(sandbox: Sandbox):
    assert await value_of(sandbox, "1 + 1") is None
    assert await value_of(sandbox, "def f():\n  return 1\n# the end") is None


async def test_an_exception_is_told_with_its_type_its_message_and_the_line_of_the_code(
    sandbox: Sandbox,
):
    code = "def check(x):\n    if x:\n        raise ValueError('no price')\n\ncheck(1)\nreturn 1"

    failed = await failure_of(sandbox, code)

    assert (failed.type, failed.message, failed.line) == ("ValueError", "no price", 3)


@pytest.mark.parametrize(
    ("code", "kind", "line"),
    [
        ("x = 1\ny = = 2\nreturn y", "SyntaxError", 2),
        ("x = 1\n\nreturn nowhere", "NameError", 3),
        ("x = 1\nnowhere(2)", "NameError", 2),
        ("\n\neval('[1,\\n 0 / 0]')", "ZeroDivisionError", 3),
        ("import socket", "ModuleNotFoundError", 1),
        ("import time\ntime.sleep(1)", "RuntimeError", 2),
    ],
)
async def test_each_error_names_its_line(sandbox: Sandbox, code: str, kind: str, line: int):
    failed = await failure_of(sandbox, code)

    assert (failed.type, failed.line) == (kind, line)


async def test_a_long_message_is_cut(sandbox: Sandbox):
    failed = await failure_of(sandbox, "raise ValueError('x' * 100_000)")

    assert len(failed.message) == 1000


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("return {1, 2}", "the returned value is not JSON but of type set"),
        ("return {'at': [b'x']}", "the returned value['at'][0] is not JSON but of type bytes"),
        ("return 2 ** 63", "the returned value is an integer over 64 bit"),
        ("return {'a': float('nan')}", "the returned value['a'] is no finite number"),
        ("return {1: 2}", "the returned value has a key that is not text but of type int"),
        ("class A:\n  pass\nreturn A()", "the returned value is not JSON but of type A"),
        ("x = []\nfor i in range(101): x = [x]\nreturn x", "is nested more than 100 deep"),
    ],
)
async def test_what_is_not_json_is_no_result(sandbox: Sandbox, code: str, says: str):
    failed = await failure_of(sandbox, code)

    assert failed.type == "TypeError"
    assert says in failed.message


@pytest.mark.parametrize(
    "code",
    [
        "return 'x' * 262_143",
        "return 'é' * 131_072",
        "a = [0] * 1000\nb = [a] * 1000\nreturn [b] * 1000",  # a billion, from three thousand
    ],
)
async def test_a_value_over_the_limit_is_refused_with_the_limits_name(sandbox: Sandbox, code: str):
    with pytest.raises(LimitReached, match="limit value_bytes 262144") as caught:
        await sandbox.begin(code, {})

    assert caught.value.which == "output"


async def test_a_value_just_under_the_limit_comes_back(sandbox: Sandbox):
    assert len(await value_of(sandbox, "return 'x' * 262_142")) == 262_142


async def test_what_is_printed_comes_with_the_result_or_the_failure(sandbox: Sandbox):
    ended = await sandbox.begin("print('a', 1)\nprint('x' * 20_000)\nreturn 1", {})
    failed = await failure_of(sandbox, "print('so far')\nreturn 1 // 0")

    assert ended.printed.startswith("a 1\nxxx")
    assert ended.printed.endswith("x…")
    assert len(ended.printed) == 16_385
    assert failed.printed == "so far\n"


async def test_with_a_clock_and_a_seed_the_same_run_gives_the_same(sandbox: Sandbox):
    code = """
import random, time
from datetime import datetime
return [datetime.now().isoformat(), time.time(), random.random()]
"""
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    one = await sandbox.begin(code, {}, clock=at, seed="exe_1:sum")
    same = await sandbox.begin(code, {}, clock=at, seed="exe_1:sum")
    other = await sandbox.begin(code, {}, clock=at, seed="exe_2:sum")

    assert isinstance(one, Returned)
    assert isinstance(other, Returned)
    assert one == same
    assert one.value[:2] == ["2026-01-02T03:04:05", at.timestamp()]
    assert one.value[2] != other.value[2]


@pytest.mark.parametrize("name", ["a b", "class", "", "a=1\nb"])
async def test_what_is_no_name_in_code_is_refused(sandbox: Sandbox, name: str):
    with pytest.raises(ValueError, match="can't be a name"):
        await sandbox.begin("return 1", {name: 1})


def test_monty_is_neither_imported_nor_started_before_the_first_run():
    look = (
        "import sys, threading\nfrom libs.sandbox import Sandbox\nsandbox = Sandbox()\n"
        "assert 'pydantic_monty' not in sys.modules\nassert threading.active_count() == 1"
    )

    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
