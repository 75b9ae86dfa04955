"""The worker process: whole budget, errors as here, faults that are no results."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from libs.language import (
    ExpressionError,
    ExpressionWorker,
    WorkerFault,
    compile_expression,
    compile_value,
)

NOW = "2026-03-01T12:00:00.000Z"
LARGE = "len([1 for a in range(10000) for b in range(5)])"


@pytest.fixture
async def worker() -> AsyncIterator[ExpressionWorker]:
    started = ExpressionWorker()
    yield started
    await started.close()


async def test_small_work_needs_no_process(worker: ExpressionWorker) -> None:
    assert await worker.evaluate(compile_expression("a + 1"), {"a": 1}, NOW) == 2
    assert worker.pid is None


async def test_large_work_is_done_in_the_process(worker: ExpressionWorker) -> None:
    assert await worker.evaluate(compile_expression(LARGE), {}, NOW) == 50_000
    assert worker.pid is not None


async def test_what_is_evaluated_apart_gives_the_same(worker: ExpressionWorker) -> None:
    scope: dict[str, Any] = {"a": {"x": [1, 1.0, "ą", None, True]}, "unused": object()}
    expression = compile_expression("[a.x, a.x[1], now()]")
    given = await worker.evaluate_apart(expression, scope, NOW)
    assert repr(given) == repr(expression.evaluate(scope, NOW))
    value = compile_value(
        {"t": "n ${{ a.x }} ${{ secret.s }}", "c": "$${{"}, "/w", secrets_allowed=True
    )
    assert await worker.evaluate_apart(value, scope, NOW) == value.evaluate(scope, NOW)


async def test_an_error_found_in_the_process_is_the_same_error(worker: ExpressionWorker) -> None:
    value = compile_value({"a": "x ${{ b.nmae }}"}, "/w")
    scope = {"b": {"name": 1}}
    with pytest.raises(ExpressionError) as here:
        value.evaluate(scope, NOW)
    with pytest.raises(ExpressionError) as there:
        await worker.evaluate_apart(value, scope, NOW)
    assert there.value.as_dict() == here.value.as_dict()
    assert there.value.where == "/w/a"


async def test_what_exceeds_the_whole_budget_is_an_error(worker: ExpressionWorker) -> None:
    with pytest.raises(ExpressionError) as refused:
        await worker.evaluate(compile_expression(f"[{LARGE} for x in range(100)]"), {}, NOW)
    assert refused.value.code == "expression-too-expensive"


async def test_the_process_serves_many_in_turn(worker: ExpressionWorker) -> None:
    expression = compile_expression("a * 2")
    asked = (worker.evaluate_apart(expression, {"a": at}, NOW) for at in range(20))
    assert await asyncio.gather(*asked) == [at * 2 for at in range(20)]


async def test_a_process_that_died_is_a_fault_and_the_next_one_answers(
    worker: ExpressionWorker,
) -> None:
    expression = compile_expression("1")
    await worker.evaluate_apart(expression, {}, NOW)
    assert worker.pid is not None
    # Stopped first, so that it can't answer before it is gone.
    os.kill(worker.pid, signal.SIGSTOP)
    waiting = asyncio.create_task(worker.evaluate_apart(expression, {}, NOW))
    await asyncio.sleep(0)
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(WorkerFault):
        await waiting
    assert await worker.evaluate_apart(expression, {}, NOW) == 1


async def test_what_the_fuse_cuts_is_a_fault() -> None:
    worker = ExpressionWorker(fuse_s=2)
    expression = compile_expression("1")
    try:
        await worker.start()
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGSTOP)
        with pytest.raises(WorkerFault):
            await worker.evaluate_apart(expression, {}, NOW)
        assert worker.pid is None
    finally:
        await worker.close()


async def test_a_caller_that_goes_away_leaves_no_answer_behind(worker: ExpressionWorker) -> None:
    await worker.start()
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGSTOP)
    waiting = asyncio.create_task(worker.evaluate_apart(compile_expression("1"), {}, NOW))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await worker.evaluate_apart(compile_expression("2"), {}, NOW) == 2


async def test_the_process_has_no_environment(worker: ExpressionWorker) -> None:
    await worker.start()
    assert environment_of(worker.pid) == {"PYTHONPATH"}


def environment_of(pid: int | None) -> set[str]:
    pairs = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return {pair.split("=")[0] for pair in pairs if pair}
