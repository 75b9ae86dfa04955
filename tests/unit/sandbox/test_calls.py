"""Calls of functions: the code is suspended, stored, and goes on with the answer anywhere."""

import asyncio
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from libs.sandbox import (
    CallFailed,
    LimitReached,
    Limits,
    Paused,
    PythonFailed,
    Returned,
    Sandbox,
    seal,
    unseal,
)

HTTP = ("http_request",)
KEY = b"k" * 32
ROOT = Path(__file__).parents[3]
TWO_CALLS = """
total = {"sum": start}
first = http_request(method="GET", url="https://a.example/1")
total["sum"] += first["json"]["n"]
second = http_request("GET", url="https://a.example/2")
total["sum"] += second["json"]["n"]
return total
"""


def answer(n: int) -> dict[str, object]:
    return {"status": 200, "json": {"n": n}}


async def paused(sandbox: Sandbox, code: str, **names: object) -> Paused:
    step = await sandbox.begin(code, names, HTTP)
    assert isinstance(step, Paused)
    return step


async def test_a_call_suspends_the_code_and_its_answer_goes_on(sandbox: Sandbox):
    first = await paused(sandbox, TWO_CALLS, start=100)
    second = await sandbox.go_on(first.snapshot, answer(1), HTTP)
    assert isinstance(second, Paused)
    ended = await sandbox.go_on(second.snapshot, answer(2), HTTP)

    assert (first.function, first.args) == ("http_request", [])
    assert first.kwargs == {"method": "GET", "url": "https://a.example/1"}
    assert (second.args, second.kwargs) == (["GET"], {"url": "https://a.example/2"})
    assert ended == Returned({"sum": 103})


async def test_the_same_snapshot_goes_on_as_often_as_is_asked(sandbox: Sandbox):
    first = await paused(sandbox, "return http_request() + [1]")

    once = await sandbox.go_on(first.snapshot, [5], HTTP)
    again = await sandbox.go_on(first.snapshot, [6], HTTP)

    assert (once, again) == (Returned([5, 1]), Returned([6, 1]))


@pytest.mark.parametrize(
    "code",
    [
        "return [http_request(url=u) for u in ('a', 'b')]",
        "f = http_request\nreturn [f(url='a'), f(url='b')]",
        "def one(u):\n  try:\n    return http_request(url=u)\n  finally:\n    print(u)\n"
        "return [one('a'), one('b')]",
    ],
)
async def test_calls_work_wherever_an_expression_does(sandbox: Sandbox, code: str):
    first = await paused(sandbox, code)
    second = await sandbox.go_on(first.snapshot, 1, HTTP)
    assert isinstance(second, Paused)
    ended = await sandbox.go_on(second.snapshot, 2, HTTP)

    assert (first.kwargs, second.kwargs) == ({"url": "a"}, {"url": "b"})
    assert isinstance(ended, Returned)
    assert ended.value == [1, 2]


async def test_a_failed_call_is_an_exception_that_the_code_can_handle(sandbox: Sandbox):
    code = "try:\n  http_request()\nexcept RuntimeError as error:\n  return str(error)"
    first = await paused(sandbox, code)

    ended = await sandbox.go_on(first.snapshot, CallFailed("client-error: 404"), HTTP)

    assert ended == Returned("client-error: 404")


async def test_a_failed_call_that_is_not_handled_names_the_line_of_the_call(sandbox: Sandbox):
    first = await paused(sandbox, "x = 1\n\nhttp_request()\nreturn x")

    with pytest.raises(PythonFailed, match="client-error: 404") as caught:
        await sandbox.go_on(first.snapshot, CallFailed("client-error: 404"), HTTP)

    assert (caught.value.type, caught.value.line) == ("RuntimeError", 3)


async def test_only_the_functions_that_are_allowed_can_be_called(sandbox: Sandbox):
    with pytest.raises(PythonFailed, match="name 'mail_send' is not defined") as caught:
        await sandbox.begin("x = 1\nmail_send(to='a')", {}, HTTP)

    assert (caught.value.type, caught.value.line) == ("NameError", 2)


async def test_what_a_call_sends_is_json_or_is_not_sent(sandbox: Sandbox):
    with pytest.raises(PythonFailed, match=r"http_request: the arguments\['body'\] is not JSON"):
        await sandbox.begin("http_request(body={1})", {}, HTTP)
    with pytest.raises(LimitReached, match=r"http_request: the arguments .* limit value_bytes"):
        await sandbox.begin("http_request(body='x' * 300_000)", {}, HTTP)


async def test_code_that_holds_too_much_at_a_call_is_stopped(sandbox: Sandbox):
    noise = "import random\nx = random.randbytes(200_000)\nhttp_request()\nreturn 1"
    with pytest.raises(LimitReached, match="limit snapshot_bytes 131072") as large:
        await sandbox.begin(noise, {}, HTTP)
    with pytest.raises(LimitReached, match="limit held_bytes 4194304") as repeated:
        await sandbox.begin("x = 'x' * 5_000_000\nhttp_request()\nreturn 1", {}, HTTP)

    assert large.value.which == repeated.value.which == "snapshot"


async def test_a_run_that_holds_a_large_value_can_be_suspended(sandbox: Sandbox):
    rows = [{"id": n, "name": f"row {n}", "tags": ["a", "b"]} for n in range(4000)]
    first = await paused(sandbox, "http_request()\nreturn len(rows)", rows=rows)

    assert len(first.snapshot) < 100_000
    assert await sandbox.go_on(first.snapshot, None, HTTP) == Returned(4000)


async def test_the_limit_of_time_is_for_all_parts_of_a_run(sandbox: Sandbox):
    code = """
import time
def burn():
    until = time.monotonic() + 0.9
    while time.monotonic() < until:
        pass
burn()
http_request()
burn()
return 1
"""
    first = await sandbox.begin(code, {}, HTTP, Limits(time_s=1.5))
    assert isinstance(first, Paused)

    with pytest.raises(LimitReached) as caught:
        await sandbox.go_on(first.snapshot, 1, HTTP)

    assert caught.value.which == "time"


async def test_the_limit_of_memory_holds_after_a_pause(sandbox: Sandbox):
    first = await paused(sandbox, "http_request()\nx = []\nwhile True: x.append('a' * 1000)")

    with pytest.raises(LimitReached) as caught:
        await sandbox.go_on(first.snapshot, 1, HTTP)

    assert caught.value.which == "memory"


async def test_the_clock_and_the_seed_hold_after_a_pause(sandbox: Sandbox):
    code = "import random, time\nhttp_request()\nreturn [time.time(), random.random()]"
    at = datetime(2026, 1, 2, tzinfo=UTC)
    first = await sandbox.begin(code, {}, HTTP, clock=at, seed="s")
    assert isinstance(first, Paused)

    one = await sandbox.go_on(first.snapshot, 1, HTTP)
    again = await sandbox.go_on(first.snapshot, 1, HTTP)

    assert isinstance(one, Returned)
    assert one == again
    assert one.value[0] == at.timestamp()


BEGIN = """
import asyncio, pathlib, sys, os, signal
from libs.sandbox import Sandbox, seal
async def main():
    code = pathlib.Path(sys.argv[1]).read_text()
    step = await Sandbox().begin(code, {"start": 100}, ("http_request",))
    sealed = seal(step.snapshot, b"k" * 32, "exe_1:sum.1")
    pathlib.Path(sys.argv[2]).write_bytes(sealed)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


async def test_a_killed_process_leaves_a_snapshot_that_another_goes_on_from(
    sandbox: Sandbox, tmp_path: Path
):
    code, stored = tmp_path / "code", tmp_path / "stored"
    code.write_text(TWO_CALLS)
    done = await asyncio.create_subprocess_exec(sys.executable, "-c", BEGIN, code, stored, cwd=ROOT)
    assert await done.wait() == -signal.SIGKILL

    snapshot = unseal(stored.read_bytes(), KEY, "exe_1:sum.1")
    second = await sandbox.go_on(snapshot, answer(1), HTTP)
    assert isinstance(second, Paused)
    resealed = seal(second.snapshot, KEY, "exe_1:sum.2")
    ended = await sandbox.go_on(unseal(resealed, KEY, "exe_1:sum.2"), answer(2), HTTP)

    assert ended == Returned({"sum": 103})
