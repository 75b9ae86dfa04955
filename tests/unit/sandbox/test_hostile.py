"""Code that means harm ends as a limit or a failure of its own, and the next run is as ever."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from libs.common.testing import eventually
from libs.sandbox import LimitReached, Limits, PythonFailed, Returned, Sandbox, WorkerLost

SHORT = Limits(time_s=0.3)
LONG = {"memory": 30, "suspensions": 30, "output": 1}
ROOT = Path(__file__).parents[3]


async def is_well(sandbox: Sandbox) -> bool:
    return await sandbox.begin("return [x, x]", {"x": 1}) == Returned([1, 1])


@pytest.mark.parametrize(
    ("code", "which"),
    [
        ("while True: pass", "time"),
        ("while True:\n  try:\n    while True: pass\n  except BaseException: pass", "time"),
        ("return sum(range(10 ** 12))", "time"),
        ("x = 3\nfor i in range(60): x = x * x\nreturn len(str(x))", "time"),
        ("return 9 ** 9 ** 9", "memory"),
        ("return 1 << (1 << 40)", "memory"),
        ("x = []\nwhile True: x.append('a' * 1000)", "memory"),
        ("while True:\n  try: x = ['a'] * 10 ** 9\n  except BaseException: pass", "memory"),
        ("return 'a' * (1 << 40)", "memory"),
        ("return '{:>1000000000}'.format(1)", "memory"),
        ("return f'{1:>1000000000}'", "memory"),
        ("return sorted(range(10 ** 9))", "memory"),
        ("return [0] * 4_000_000", "memory"),
        ("raise ValueError('x' * 60_000_000)", "memory"),
        ("while True: print('x' * 1000)", "output"),
        ("while True:\n  try: open('/x')\n  except Exception: pass", "suspensions"),
    ],
)
async def test_what_takes_too_much_is_stopped(sandbox: Sandbox, code: str, which: str):
    with pytest.raises(LimitReached) as caught:
        # The other limits are met long before the time is up, also on a loaded machine.
        await sandbox.begin(code, {}, (), SHORT if which == "time" else Limits(time_s=LONG[which]))

    assert caught.value.which == which
    assert await is_well(sandbox)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("def f(): return f()\nreturn f()", "RecursionError"),
        ("x = " + "(" * 3000 + ")" * 3000, "SyntaxError"),
        ("x = " + "+".join(["1"] * 20_000), "SyntaxError"),
        ("x = " + "-" * 20_000 + "1", "SyntaxError"),
        ("x = 1\x00", "SyntaxError"),
        ("return open('/etc/passwd').read()", "PermissionError"),
        ("open('/tmp/x', 'w').write('x')", "PermissionError"),
        ("from pathlib import Path\nreturn Path('/etc/passwd').read_text()", "PermissionError"),
        ("import os\nreturn os.listdir('/')", "PermissionError"),
        ("import os\nreturn os.environ", "RuntimeError"),
        ("import os\nreturn os.getenv('HOME')", "RuntimeError"),
        ("import os\nos.system('id')", "AttributeError"),
        ("import subprocess", "ModuleNotFoundError"),
        ("import socket", "ModuleNotFoundError"),
        ("import ctypes", "ModuleNotFoundError"),
        ("import libs.sandbox", "ModuleNotFoundError"),
        ("__import__('os').system('id')", "NameError"),
        ("return __builtins__", "NameError"),
        ("return globals()", "NameError"),
        ("().__class__.__bases__[0].__subclasses__()", "AttributeError"),
        ("return getattr((), '__class__')", "AttributeError"),
        ("return '{0.__class__}'.format(1)", "AttributeError"),
        ("return (lambda: 0).__globals__", "AttributeError"),
        ("try:\n  1 / 0\nexcept Exception as e:\n  return e.__traceback__", "AttributeError"),
        ("import sys\nreturn sys.modules", "AttributeError"),
        ("import sys\nsys.exit(3)", "AttributeError"),
        ("raise SystemExit", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("return print", "TypeError"),
    ],
)
async def test_what_reaches_out_fails_in_the_code(sandbox: Sandbox, code: str, kind: str):
    with pytest.raises(PythonFailed) as caught:
        await sandbox.begin(code, {}, (), SHORT)

    assert caught.value.type == kind
    assert await is_well(sandbox)


async def test_code_over_the_limit_of_its_length_is_not_even_parsed(sandbox: Sandbox):
    with pytest.raises(PythonFailed, match="limit code_bytes 65536"):
        await sandbox.begin("#" * 70_000, {})


async def running(sandbox: Sandbox, workers: int = 1) -> int:
    async def look() -> list[int]:
        return sandbox.pids

    return (await eventually(look, lambda pids: len(pids) == workers))[0]


async def is_gone(pid: int) -> bool:
    async def look() -> bool:
        return alive(pid)

    return not await eventually(look, lambda there: not there)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # before it was opened, before it was read
        return False


async def test_a_worker_that_is_killed_is_an_error_that_says_to_try_again(sandbox: Sandbox):
    run = asyncio.create_task(sandbox.begin("while True: pass", {}, (), Limits(time_s=60)))
    os.kill(await running(sandbox), signal.SIGKILL)

    with pytest.raises(WorkerLost):
        await run
    assert await is_well(sandbox)


async def test_who_is_cancelled_takes_the_worker_down(sandbox: Sandbox):
    run = asyncio.create_task(sandbox.begin("while True: pass", {}, (), Limits(time_s=60)))
    pid = await running(sandbox)
    run.cancel()

    with pytest.raises(asyncio.CancelledError):
        await run
    assert await is_gone(pid)
    assert await is_well(sandbox)


async def test_a_cancelled_run_that_waits_for_a_worker_never_begins(sandbox: Sandbox):
    busy = [
        asyncio.create_task(sandbox.begin("while True: pass", {}, (), Limits(time_s=60)))
        for _ in range(2)
    ]
    await running(sandbox, workers=2)
    waiting = asyncio.create_task(sandbox.begin("return 1", {}))
    await asyncio.sleep(0)
    waiting.cancel()
    for task in busy:
        task.cancel()

    ended = await asyncio.gather(waiting, *busy, return_exceptions=True)

    assert all(isinstance(end, asyncio.CancelledError) for end in ended)
    assert await is_well(sandbox)


async def test_closing_ends_what_runs_and_the_next_run_starts_anew(sandbox: Sandbox):
    run = asyncio.create_task(sandbox.begin("while True: pass", {}, (), Limits(time_s=60)))
    pid = await running(sandbox)
    await sandbox.close()

    with pytest.raises(WorkerLost):
        await run
    assert not alive(pid)
    assert await is_well(sandbox)


async def test_where_no_worker_can_be_started_the_error_says_so(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MONTY_BIN", "/nowhere/monty")

    with pytest.raises(WorkerLost, match="/nowhere/monty"):
        await sandbox.begin("return 1", {})


async def test_many_at_once_share_two_workers(sandbox: Sandbox):
    code = "s = 0\nfor i in range(1000): s = s + i\nreturn s + n"

    ended = await asyncio.gather(*(sandbox.begin(code, {"n": n}) for n in range(50)))

    assert [step.value for step in ended if isinstance(step, Returned)] == [
        499_500 + n for n in range(50)
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="the second fence is Linux's")
async def test_a_worker_has_no_environment_and_can_open_nothing(sandbox: Sandbox):
    run = asyncio.create_task(sandbox.begin("while True: pass", {}, (), Limits(time_s=60)))
    process = Path(f"/proc/{await running(sandbox)}")
    limits = {
        line[:26].strip(): line[26:].split()[:2]
        for line in (process / "limits").read_text().splitlines()
    }
    environment = (process / "environ").read_bytes()
    run.cancel()

    assert environment == b""
    for what in ("Max open files", "Max file size", "Max processes", "Max core file size"):
        assert limits[what] == ["0", "0"]
    assert limits["Max address space"] == [str(512 << 20)] * 2


LEFT_ALONE = """
import asyncio, os
from libs.sandbox import Limits, Sandbox
async def main():
    sandbox = Sandbox()
    task = asyncio.create_task(sandbox.begin("while True: pass", {}, (), Limits(time_s=1)))
    while not sandbox.pids:
        await asyncio.sleep(0.005)
    print(sandbox.pids[0], flush=True)
    await task
asyncio.run(main())
"""


async def test_a_worker_does_not_outlive_a_killed_owner_by_more_than_its_limit():
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LEFT_ALONE, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    pid = int(await owner.stdout.readline())
    owner.kill()
    await owner.wait()

    assert await is_gone(pid)
