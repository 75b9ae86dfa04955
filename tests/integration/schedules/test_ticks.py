"""Schedules of a whole installation: real instants become executions, once, over a restart too."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
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
        env=os.environ | stack.environment("workflows") | stack.settings
        | {"PYTHONPATH": str(ROOT)},
        cwd=stack.data.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
        assert process.poll() is None, "it ran all the time"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@pytest.mark.timeout(400)
def test_instants_become_executions_once_and_missed_ones_what_the_policy_says(
    stack: Stack,
) -> None:
    workflows = {policy: published(signed_in(stack), policy) for policy in POLICIES}
    stack.settled()
    away = time.monotonic()
    stack.stop()
    stack.settings["TROTH_CLOCK_OFFSET_S"] = str(MISSED_MINUTES * 60)
    stack.start()
    owner = signed_in(stack)
    with another_scheduler(stack):
        until(lambda: all(missed(decided(stack, one)) for one in workflows.values()), 60)
        until(lambda: started(owner, workflows["run-all"]))
        most = MISSED_MINUTES + 1 + int((time.monotonic() - away) / 60)
        # A minute that came after the restart, by the clock.
        before = in_time(decided(stack, workflows["skip"]))
        until(lambda: len(in_time(decided(stack, workflows["skip"]))) > len(before), 150)

    for policy, workflow in workflows.items():
        ticks = decided(stack, workflow)
        late = missed(ticks)
        assert MISSED_MINUTES - 1 <= sum(late) <= most, policy
        assert (len(late) > 1) == (policy == "run-all")
        wanted = to_start(ticks)
        assert Counter(wanted).most_common(1)[0][1] == 1
        ran = until(lambda: executed(owner, workflow, wanted))  # noqa: B023 - used at once
        assert Counter(ran).most_common(1)[0][1] == 1, "an instant became two executions"
        assert set(ran) <= set(to_start(decided(stack, workflow))), "a minute may have come since"
        if policy == "skip":
            assert wanted == sorted(in_time(ticks)), "what was missed did not run"
    last = owner.get(f"/v1/executions/{last_of(owner, workflows['skip'])}")
    output = owner.get(f"/v1/executions/{last['id']}/data")["output"]
    assert at(output) == at(last["trigger"]["due_at"])


def published(owner: Api, policy: str) -> str:
    text = EVERY_MINUTE.format(name=f"beat-{policy}", missed=policy)
    made = owner.post("/v1/workflows", content=text.encode(), headers={"content-type": YAML})
    owner.post(f"/v1/workflows/{made['id']}/publish", {"draft_version": 1})
    return made["id"]


def decided(stack: Stack, workflow: str) -> list[tuple[Any, ...]]:
    return stack.rows("workflows", TICKS, workflow)


def missed(ticks: list[tuple[Any, ...]]) -> list[int]:
    """How many instants were missed, by each tick that says so."""
    return [count for _, _, count in ticks if count]


def in_time(ticks: list[tuple[Any, ...]]) -> list[datetime]:
    """The instants that were not missed."""
    return [at(due) for due, decision, count in ticks if decision == "start" and not count]


def started(owner: Api, workflow: str) -> list[dict[str, Any]]:
    return owner.get(f"/v1/executions?workflow={workflow}&trigger=schedule&limit=200")["data"]


def to_start(ticks: list[tuple[Any, ...]]) -> list[datetime]:
    return sorted(at(due) for due, decision, _ in ticks if decision == "start")


def executed(owner: Api, workflow: str, wanted: list[datetime]) -> list[datetime]:
    """The instants of all executions, once each that is wanted has one that succeeded."""
    found = [(at(one["trigger"]["due_at"]), one["status"]) for one in started(owner, workflow)]
    good = {due for due, status in found if status == "succeeded"}
    return [due for due, _ in found] if set(wanted) <= good else []


def at(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


def last_of(owner: Api, workflow: str) -> str:
    return max(started(owner, workflow), key=lambda one: one["trigger"]["due_at"])["id"]
