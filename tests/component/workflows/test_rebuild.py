"""The log is the truth: views that are emptied and rebuilt answer the same, byte for byte."""

from typing import Any

import psycopg
import pytest
from tests_support.workflow_texts import calling, hello, hook, scheduled

from libs.common.testing import eventually
from services.workflows.contract import (
    ArchiveWorkflow,
    CompareVersions,
    DeleteSecret,
    DisableWorkflow,
    FindDraft,
    FindHook,
    FindReviews,
    FindSecrets,
    FindTrigger,
    FindTriggers,
    FindVariables,
    FindVersion,
    FindVersions,
    FindWorkflow,
    FindWorkflows,
    RequestReview,
    RollBackWorkflow,
    SetVariable,
)
from services.workflows.views.tables import VIEWS


async def a_history(workflows: Any) -> None:
    for name in ("api", "old", "api"):
        await workflows.store(name, "value of " + name)
    await workflows.ask(DeleteSecret(name="old"))
    await workflows.ask(SetVariable(name="mail", value={"to": "ops"}))
    await workflows.draft(hello("one"))
    await workflows.publish("hello", 1)
    await workflows.save(hello("two"), 2)
    await workflows.publish("hello", 3)
    await workflows.save(hello("three"), 4)
    signed = '{scheme: token, secret: "${{ secret.api }}", header: X-Token}'
    await workflows.draft(hook("orders", "orders", signed))
    await workflows.publish("orders", 1)
    await workflows.ask(DisableWorkflow(workflow="orders"))
    await workflows.draft(hook("gone", "left"))
    await workflows.publish("gone", 1)
    await workflows.ask(ArchiveWorkflow(workflow="gone"))
    await workflows.draft(hook("heir", "left"))
    await workflows.publish("heir", 1)
    await workflows.draft(calling("caller", "hello", "orders"))
    await workflows.ask(RequestReview(workflow="caller", draft_version=1, note="please"))
    await workflows.publish("caller", 2)
    await workflows.ask(RollBackWorkflow(workflow="hello", version=1))
    await ticking(workflows)


async def ticking(workflows: Any) -> None:
    """A schedule with a tick, and another one that never was due."""
    for name, cron in (("often", "* * * * *"), ("seldom", "0 0 29 2 *")):
        await workflows.draft(scheduled(name, cron))
        await workflows.publish(name, 1)
    await workflows.missed("often", 3)

    async def last() -> Any:
        found = (await workflows.ask(FindTriggers(workflow=["often"]))).value["data"]
        return found[0]["last_tick"]

    await eventually(last, lambda tick: tick is not None)


def questions() -> list[Any]:
    names = ("hello", "orders", "gone", "heir", "caller")
    both: Any = ["draft", "published"]
    return [
        FindWorkflows(), FindWorkflows(order="asc", limit=2), FindTriggers(), FindSecrets(),
        FindVariables(), FindVersion(workflow="hello", version=1), FindHook(path="orders"),
        FindHook(path="left"), FindHook(path="none"), FindTrigger(path="left"),
        FindTrigger(workflow="caller"), FindReviews(), CompareVersions(workflow="hello", version=3),
        *[FindWorkflow(workflow=name, expand=both) for name in names],
        *[FindDraft(workflow=name) for name in names],
        *[FindVersions(workflow=name) for name in names],
    ]  # fmt: skip


async def answers(workflows: Any) -> list[tuple[str, bytes, int | None]]:
    found = [(q.type, await workflows.ask(q)) for q in questions()]
    return [(kind, answer.body, answer.version) for kind, answer in found]


async def test_views_that_are_rebuilt_answer_the_same(workflows: Any) -> None:
    await a_history(workflows)
    before = await answers(workflows)
    reader = workflows.service.readers[0]
    head = reader.n
    await reader.reset()
    workflows.service.store.appended()

    async def taken() -> int:
        return reader.n

    await eventually(taken, lambda n: n >= head)
    assert await answers(workflows) == before


async def test_the_reader_role_sees_one_organization_only(workflows: Any) -> None:
    await a_history(workflows)
    conninfo = workflows.service.database.conninfo("reader")
    tables = [table.name for table in VIEWS] + ["secret_values"]
    with psycopg.connect(conninfo) as connection:
        for table in tables:
            query = f"select count(*) from {table}".encode()
            connection.execute("select set_config('app.org', 'org_one', false)")
            assert connection.execute(query).fetchone() != (0,), table
            connection.execute("select set_config('app.org', 'org_two', false)")
            assert connection.execute(query).fetchone() == (0,), table
    for table in ("hook_paths", "secret_uses", "log"):
        refused = pytest.raises(psycopg.errors.InsufficientPrivilege)
        with psycopg.connect(conninfo) as connection, refused:
            connection.execute(f"select * from {table}".encode())
