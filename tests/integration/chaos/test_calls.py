"""Calls and their keys outlive every process: the ledger, sending again, recorded answers."""

import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.chaos.stack import Stack

pytestmark = pytest.mark.timeout(300)


def restart(stack: Stack, *names: str) -> None:
    """Killed all at once, with whatever they hold in memory."""
    before = {name: stack.kill(name, signal.SIGKILL) for name in names}
    stack.wait(
        lambda: all(stack.pids.get(n) not in (None, pid) for n, pid in before.items()), "restart"
    )
    stack.wait(stack.ready, "everything ready")


def draft(stack: Stack, name: str, key: str) -> httpx.Response:
    """A command of a service that is no executor, with a key."""
    document = f"troth: 1\nname: {name}\nsteps:\n  - id: a\n    set: {{n: 1}}\n"
    headers = {"content-type": "application/yaml", "Idempotency-Key": key}
    return stack.ask("POST", "/v1/workflows", content=document, headers=headers)


def call_of(stack: Stack, path: str) -> dict[str, Any] | None:
    found = stack.done("GET", f"/v1/trigger-calls?path={path}")["data"]
    return found[0] if found else None


def test_an_unmatched_call_is_in_the_ledger_after_a_restart_and_resent_starts_one_execution(
    stack: Stack,
) -> None:
    assert stack.hook("early", {"n": 7}).status_code == 404
    stack.wait(lambda: call_of(stack, "early") is not None, "the call is told", 20)
    restart(stack, *stack.pids)
    call = call_of(stack, "early")
    assert call is not None
    assert (call["outcome"], call["reason"]) == ("unmatched", "no-such-path")
    stack.publish(
        "troth: 1\nname: early\non:\n  - webhook: {path: early, verify: {scheme: none}}\n"
        'steps:\n  - id: a\n    set: {n: "${{ input.n }}"}\noutput: ${{ a.n }}\n'
    )
    resend = f"/v1/trigger-calls/{call['id']}/resend"
    key = {"Idempotency-Key": "send-it-again"}

    first = stack.done("POST", resend, headers=key)
    again = stack.done("POST", resend, headers=key)

    assert again == first
    stack.wait(lambda: stack.ended_once(first["execution"]), "it ends")
    shown = stack.done("GET", "/v1/executions?workflow=early")["data"]
    assert [one["id"] for one in shown] == [first["execution"]]
    data = stack.done("GET", f"/v1/executions/{first['execution']}/data")
    assert data["output"] == 7
    kept = stack.done("GET", f"/v1/trigger-calls/{call['id']}")
    assert kept["resent_as"] == first["execution"]


def test_a_key_gets_the_recorded_answer_through_a_restarted_gateway_and_with_another_body_422(
    stack: Stack,
) -> None:
    first = draft(stack, "once", "draft-once")
    assert first.status_code == 201, first.text
    restart(stack, "gateway")

    again = draft(stack, "once", "draft-once")
    other = draft(stack, "another", "draft-once")

    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    restart(stack, *stack.pids)
    later = draft(stack, "once", "draft-once")
    assert (later.status_code, later.json()) == (201, first.json())


def test_a_hooks_key_gets_the_recorded_outcome_after_a_restart_of_everything(stack: Stack) -> None:
    key = {"Idempotency-Key": "answer-once"}
    first = stack.hook("answers", {"n": 21}, **key)
    assert (first.status_code, first.json()["sum"]) == (200, 85)
    restart(stack, *stack.pids)

    again = stack.hook("answers", {"n": 21}, **key)
    other = stack.hook("answers", {"n": 22}, **key)

    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["Troth-Execution"] == first.headers["Troth-Execution"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")


def test_two_calls_at_once_with_one_key_have_one_effect(stack: Stack) -> None:
    key = {"Idempotency-Key": "both-at-once"}
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: stack.hook("waits", {"pause": "1s"}, **key), range(2)))
        made = list(pool.map(lambda _: draft(stack, "twins", "both-at-once"), range(2)))

    assert [answer.status_code for answer in both] == [202, 202]
    executions = {answer.json()["execution"] for answer in both}
    assert len(executions) == 1
    assert stack.events_of(executions.pop()).count("execution-started") == 1
    assert 201 in [answer.status_code for answer in made]
    assert all(
        answer.status_code == 201 or answer.json()["code"] == "idempotency-key-in-use"
        for answer in made
    )
    found = stack.done("GET", "/v1/workflows?q=twins")["data"]
    assert len(found) == 1
