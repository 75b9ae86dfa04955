"""Every rule on both sides of its edge: by a moved clock the older row goes, the younger stays."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Column, Table, create_engine, func, insert, make_url, select
from sqlalchemy.types import JSON, BigInteger, Boolean, DateTime, Double, LargeBinary, Text, Uuid
from tests_support.servers import Servers

from cli.services import build
from libs.common import clock, ids, log_tables
from libs.common.service import Service
from libs.common.sweeping import Sweeping
from libs.common.testing import prepare
from services.audit.proof_tables import exports
from services.executor.arrivals import arrivals
from services.executor.file_tables import files, pieces, references
from services.executor.operation_tables import operations
from services.identity.tables import attempts, one_time_tokens, tokens
from services.subscriptions.tables import deliveries, delivery_streams, feed, signing_secrets
from tools import inventory

AT_ONCE = timedelta(0)
BESIDE = timedelta(minutes=1)
NEW_ID = {"id": func.gen_random_uuid()}
COMMANDS = log_tables.metadata.tables["commands"]


@dataclass(frozen=True)
class Edge:
    """A row of `table` goes `kept` after `moment`; `key` names it, with an id of `prefix`."""

    service: str
    rule: str
    table: Table
    moment: str
    kept: timedelta
    key: str
    prefix: str = "op"
    given: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.service}.{self.rule}.{self.table.name}"


def days(count: float) -> timedelta:
    return timedelta(days=count)


EDGES = [
    *(
        Edge(service, "commands", COMMANDS, "at", timedelta(hours=25), "stream", given=NEW_ID)
        for service in ("audit", "billing", "executor", "identity", "subscriptions", "workflows")
    ),
    Edge("audit", "exports", exports, "ended_at", days(1), "id"),
    Edge("executor", "arrivals", arrivals, "at", days(30), "id", given={"fresh_at": None}),
    Edge("executor", "operations", operations, "ended_at", days(7), "id"),
    Edge("executor", "files", files, "touched_at", days(1), "file", "file"),
    Edge("executor", "files", pieces, "at", days(1), "upload"),
    Edge("executor", "files", references, "at", days(1), "file", "file"),
    Edge("identity", "attempts", attempts, "at", timedelta(minutes=5), "subject"),
    Edge("identity", "one_time_tokens", one_time_tokens, "expires_at", days(30), "digest"),
    Edge("identity", "tokens", tokens, "expires_at", AT_ONCE, "id", "ses"),
    Edge("subscriptions", "deliveries", deliveries, "ended_at", days(7), "id", "del"),
    Edge("subscriptions", "feed", feed, "time", days(7), "event_id"),
    Edge("subscriptions", "delivery-streams", delivery_streams, "at", days(30), "subject", "exe"),
    Edge("subscriptions", "subscriptions", signing_secrets, "valid_until", AT_ONCE, "sealed"),
]  # fmt: skip
# Rules whose edge is no number of days of a row alone, with the test that is about it.
ELSEWHERE = {
    "audit.detail": "tests/component/audit/test_forgetting.py",
    "billing.usage": "tests/component/billing/test_keeping.py",
    "executor.executions": "tests/component/executor/test_history.py",
    "executor.forgotten": "tests/component/executor/test_history.py",
}


@pytest.fixture
async def started(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[Callable[[str], Any]]:
    """Puts a service together on a database of its own; it answers nobody and leads nothing."""
    made: list[Service] = []

    async def start(name: str) -> Service:
        prefix = servers.prefix()
        prepare(servers.admin_url, [inventory.schemas()[name]], servers.nats_url, prefix)
        monkeypatch.setenv("TROTH_DATA_DIR", str(tmp_path))
        service, _ = build(name)
        await service.database.open()
        made.append(service)
        return service

    yield start
    for service in made:
        await service.database.close()


def row_of(table: Table, number: int, given: dict[str, Any]) -> dict[str, Any]:
    """A row with something in each column that needs it."""
    return {
        column.name: given.get(column.name, filler(column, number))
        for column in table.columns
        if column.name in given or not (column.nullable or column.server_default is not None)
    }


def filler(column: Column[Any], number: int) -> Any:
    match column.type:
        case Text():
            return f"{column.name}_{number}"
        case BigInteger() | Double():
            return number
        case Boolean():
            return False
        case Uuid():
            return uuid4()
        case LargeBinary():
            return b""
        case DateTime():
            return clock.now()
        case JSON():
            return {}
        case other:
            raise TypeError(f"{column}: {other}")


@pytest.mark.parametrize("edge", EDGES, ids=str)
async def test_the_older_row_goes_and_the_younger_one_stays(
    edge: Edge, started: Any, servers: Servers, monkeypatch: pytest.MonkeyPatch
):
    service: Service = await started(edge.service)
    older, younger = ids.new(edge.prefix), ids.new(edge.prefix)
    moments: dict[str, datetime] = {older: clock.now() - BESIDE, younger: clock.now() + BESIDE}
    own = {"org": "org_1", "open": 0} | edge.given
    admin = create_engine(
        make_url(servers.admin_url).set(
            drivername="postgresql+psycopg", database=service.database.name
        )
    )
    with admin.begin() as db:
        for number, (name, moment) in enumerate(moments.items(), start=1):
            given = own | {edge.moment: moment, edge.key: name}
            known = {c: v for c, v in given.items() if c in edge.table.columns}
            db.execute(insert(edge.table).values(row_of(edge.table, number, known)))

    monkeypatch.setattr(clock, "offset_s", edge.kept.total_seconds())
    mine = [sweep for sweep in service.sweeps if sweep.rule == edge.rule]
    late = [await sweep.overdue(service.database, clock.now()) for sweep in mine]
    turns = await Sweeping(service.database, mine).turn()

    with admin.begin() as db:
        left = list(db.execute(select(edge.table.c[edge.key])).scalars())
    admin.dispose()
    assert left == [younger]
    assert turns[edge.rule].error is None
    assert turns[edge.rule].overdue is None
    assert moments[older] + edge.kept in late


async def test_no_rule_that_is_swept_was_left_out(started: Any):
    tested = {f"{edge.service}.{edge.rule}" for edge in EDGES} | set(ELSEWHERE)
    missing: set[str] = set()
    for name in inventory.schemas():
        service: Service = await started(name)
        missing |= {f"{name}.{sweep.rule}" for sweep in service.sweeps} - tested

    assert missing == set()
    assert [file for file in ELSEWHERE.values() if not (inventory.ROOT / file).exists()] == []
