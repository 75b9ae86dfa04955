"""PostgreSQL stopped and started under load: nothing that was promised is lost, nothing twice."""

import signal
import time

import pytest

from tests.chaos.callers import calling
from tests.chaos.stack import Stack
from tests.fakes.receiver import Receiver

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_with_postgresql_stopped_callers_are_refused_and_then_served(
    stack: Stack, how: signal.Signals
) -> None:
    with calling(stack, f"postgres-{how.name}") as callers:
        stack.wait(lambda: len(callers.acknowledged) > 5, "callers are under way")
        stack.take_down("postgres", how)
        begun = time.monotonic()
        while 503 not in callers.refused:
            assert time.monotonic() - begun < 30, callers.refused
            time.sleep(0.05)
        refused = stack.ask("GET", "/v1/executions")
        promised = len(callers.acknowledged)
        stack.wait(lambda: len(callers.acknowledged) > promised + 5, "callers are served again")

    assert refused.status_code == 503, refused.text
    assert set(callers.refused) <= {503}
    for execution in callers.acknowledged.values():
        stack.wait(lambda e=execution: stack.ended_once(e), execution)


def test_effects_under_way_while_postgresql_is_killed_are_done_once_each(
    stack: Stack, counting: Receiver
) -> None:
    started = stack.hook("posts", {"items": list(range(20))})
    assert started.status_code == 202, started.text
    execution = started.json()["execution"]
    begun = time.monotonic()
    while not counting.per_key(execution):
        assert time.monotonic() - begun < 30, "no effect reached the receiver"
        time.sleep(0.01)
    stack.take_down("postgres", signal.SIGKILL)
    stack.wait(stack.ready, "the store is back")
    stack.wait(lambda: stack.ended_once(execution), "it ends")

    counts = counting.per_key(execution)
    assert set(counts) == {f"{execution}:post[{i}]" for i in range(20)}
    began = (
        "select data ->> 'path', count(*)::int from log"
        " where stream = %s and type = 'executor.event.effect-began' group by 1"
    )
    attempts = dict(stack.rows("executor", began, f"execution-{stack.org}-{execution}"))
    for key, times in counts.items():
        assert times <= attempts[key.partition(":")[2]], (key, times)
    outcome = stack.done("GET", f"/v1/executions/{execution}")["outcome"]
    assert outcome == "succeeded"
