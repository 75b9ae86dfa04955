"""Schedules of a whole installation: real instants become executions, once, over a restart too."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests_support.api import YAML, Api
from tests_support.stack import ROOT, Stack, until
from tests_support.world import OPERATOR, sign_in

EVERY_MINUTE = """troth: 1
name: {name}
on:
  - id: beat
    schedule: {{cron: "* * * * *", missed: {missed}, with: {{at: "${{{{ trigger.due_at }}}}"}}}}
steps: [{{id: said, set: {{at: "${{{{ input.at }}}}"}}}}]
output: ${{{{ said.at }}}}
"""
POLICIES = ("skip", "run-once", "run-all")
MISSED_MINUTES = 10
TICKS = """
select data ->> 'due_at', data ->> 'decision', (data ->> 'missed_count')::int from log
where type = 'workflows.event.schedule-ticked' and data ->> 'workflow_id' = %s order by n
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    data = tmp_path_factory.mktemp("ticks") / "data"
    made = Stack(data, settings={"TROTH_TEST_BCRYPT_ROUNDS": "4"}, executors=2)
    try:
        made.start()
        Api(made.address).post("/v1/instance/setup", OPERATOR | {"token": made.setup_token})
        yield made
    finally:
        made.stop()


def signed_in(stack: Stack) -> Api:
    owner = sign_in(Api(stack.address), OPERATOR["email"], 1, OPERATOR["password"])
    owner.organization = owner.get("/v1/organizations")["data"][0]["id"]
    return owner


@contextmanager
def another_scheduler(stack: Stack) -> Iterator[None]:
    """A second process that decides instants, beside the installation's own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "services.workflows"],
        env=os.environ | stack.environment("workflows") | {"PYTHONPATH": str(ROOT)},
        cwd=stack.data.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
        assert process.poll() is None, "it ran all the time"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def test_instants_become_executions_once_and_missed_ones_what_the_policy_says(
    stack: Stack,
) -> None:
    workflows = {policy: published(signed_in(stack), policy) for policy in POLICIES}
    # No minute ends while it stops: its tick would set the next one, after that was moved back.
    until(lambda: 5 < time.time() % 60 < 40, 40)
    stack.settled()
    stack.stop()
    with stack.only_postgres() as connect, connect("workflows") as database:
        database.execute(
            "update schedules set next_at = date_trunc('minute', now()) - %s",
            (timedelta(minutes=MISSED_MINUTES),),
        )
    stack.start()
    owner = signed_in(stack)
    with another_scheduler(stack):
        until(lambda: all(decided(stack, one) for one in workflows.values()), 40)
        until(lambda: started(owner, workflows["run-all"]), 20)
        # A minute that came after the restart, by the clock: nobody moved anything.
        real = until(lambda: in_time(stack, workflows["skip"], 2), 130)

    for policy, workflow in workflows.items():
        ticks = decided(stack, workflow)
        late = [count for _, _, count in ticks if count]
        assert MISSED_MINUTES - 1 <= sum(late) <= MISSED_MINUTES + 1, policy
        assert (len(late) > 1) == (policy == "run-all")
        wanted = sorted(due for due, decision, _ in ticks if decision == "start")
        assert Counter(wanted).most_common(1)[0][1] == 1
        ran = until(lambda: starts_of(owner, workflow, wanted), 20)  # noqa: B023 - used at once
        assert {one["status"] for one in ran} == {"succeeded"}
        if policy == "skip":
            assert len(wanted) == len(in_time(stack, workflow, 0)), "what was missed did not run"
    output = owner.get(f"/v1/executions/{last_of(owner, workflows['skip'])}/data")["output"]
    assert datetime.fromisoformat(output) >= datetime.fromisoformat(real[0])


def published(owner: Api, policy: str) -> str:
    text = EVERY_MINUTE.format(name=f"beat-{policy}", missed=policy)
    made = owner.post("/v1/workflows", content=text.encode(), headers={"content-type": YAML})
    owner.post(f"/v1/workflows/{made['id']}/publish", {"draft_version": 1})
    return made["id"]


def decided(stack: Stack, workflow: str) -> list[tuple[Any, ...]]:
    return stack.rows("workflows", TICKS, workflow)


def in_time(stack: Stack, workflow: str, least: int) -> list[str]:
    """The instants that were not missed, when there are so many."""
    found = [due for due, decision, count in decided(stack, workflow)
             if decision == "start" and not count]  # fmt: skip
    return found if len(found) >= least else []


def started(owner: Api, workflow: str) -> list[dict[str, Any]]:
    return owner.get(f"/v1/executions?workflow={workflow}&trigger=schedule&limit=200")["data"]


def starts_of(owner: Api, workflow: str, wanted: list[str]) -> list[dict[str, Any]]:
    """The executions, once they are those of the instants, each one time, and have ended."""
    found = started(owner, workflow)
    moments = sorted(datetime.fromisoformat(one["trigger"]["due_at"]) for one in found)
    whole = moments == [datetime.fromisoformat(due) for due in wanted]
    return found if whole and all(one["ended_at"] for one in found) else []


def last_of(owner: Api, workflow: str) -> str:
    return max(started(owner, workflow), key=lambda one: one["trigger"]["due_at"])["id"]
