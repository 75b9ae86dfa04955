"""NATS stopped and started under load: clear answers meanwhile, and each start once."""

import signal
import time

import pytest

from libs.common.bus import ASK_TIMEOUT_S
from services.gateway.starts import FIRST_ANSWER_S
from tests.chaos.callers import calling
from tests.chaos.stack import Stack

pytestmark = pytest.mark.timeout(300)
MARGIN_S = 10.0


def count_of_executions(stack: Stack) -> int:
    sql = "select count(*) from log where type = 'executor.event.execution-started'"
    return stack.rows("executor", sql)[0][0]


def test_with_nats_stopped_a_draft_is_refused_within_its_timeout_and_callers_lose_nothing(
    stack: Stack,
) -> None:
    document = "troth: 1\nname: late\nsteps:\n  - id: a\n    set: {n: 1}\n"
    draft = {"content": document, "headers": {
        "content-type": "application/yaml", "If-None-Match": "*"}}  # fmt: skip
    with calling(stack, "nats-stopped") as callers:
        stack.wait(lambda: len(callers.acknowledged) > 5, "callers are under way")
        stack.take_down("nats")
        begun = time.monotonic()
        refused = stack.ask("PUT", "/v1/workflows/late/draft", **draft)
        took_s = time.monotonic() - begun
        while 503 not in callers.refused:
            assert time.monotonic() - begun < 30, callers.refused
            time.sleep(0.05)
        promised = len(callers.acknowledged)
        stack.wait(stack.ready, "the bus is back")
        stack.wait(lambda: len(callers.acknowledged) > promised + 5, "callers are served again")

    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert int(refused.headers["Retry-After"]) >= 1
    assert took_s < 2 * ASK_TIMEOUT_S + MARGIN_S  # who asks, and what is asked
    assert set(callers.refused) <= {503}
    stack.wait(lambda: stack.ask("PUT", "/v1/workflows/late/draft", **draft).status_code == 201,
               "the draft is taken")  # fmt: skip
    for execution in callers.acknowledged.values():
        stack.wait(lambda e=execution: stack.ended_once(e), execution)


def test_a_hook_that_nobody_took_answers_503_with_its_key_and_the_key_starts_one_execution(
    stack: Stack,
) -> None:
    assert stack.hook("sums", {"n": 1}).status_code == 202
    before = count_of_executions(stack)
    stack.kill("nats", signal.SIGSTOP)  # connections stay: what is sent waits, nobody answers
    try:
        begun = time.monotonic()
        refused = stack.hook("sums", {"n": 3})
        took_s = time.monotonic() - begun
    finally:
        stack.kill("nats", signal.SIGCONT)

    assert refused.status_code == 503, refused.text
    assert took_s < FIRST_ANSWER_S + MARGIN_S
    key = refused.headers["Idempotency-Key"]
    promised: list[str] = []

    def taken() -> bool:
        again = stack.hook("sums", {"n": 3}, **{"Idempotency-Key": key})
        if again.status_code == 202:
            promised.append(again.json()["execution"])
        return again.status_code == 202

    stack.wait(taken, "the repeated call is promised")
    again = stack.hook("sums", {"n": 3}, **{"Idempotency-Key": key})
    assert again.json()["execution"] == promised[0]
    assert again.headers["Idempotency-Replayed"] == "true"
    stack.wait(lambda: stack.ended_once(promised[0]), "it ends")
    assert count_of_executions(stack) == before + 1
