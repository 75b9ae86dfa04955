"""The collector reads real databases: a row deleted or changed by SQL is found by the checker."""

from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from tests_support.people_keys import PeopleKeys
from tests_support.servers import Servers

from libs.common.database import Database
from libs.common.eventstore import EventStore, stream_of
from libs.common.messages import Event, Meta
from libs.common.privacy import KeyRing
from libs.common.testing import PASSWORD, prepare
from services.audit.app import SCHEMA as AUDIT
from services.audit.daykeys import DayKeys
from services.audit.people import People
from services.audit.settings import places_in
from services.audit.writing import Writer
from services.executor.app import SCHEMA as EXECUTOR
from services.executor.contract import EffectBegan, EffectEnded, ErrorFact, WaitBegan
from tests.chaos import collect
from tests.chaos.checker import check
from tests.chaos.facts import Facts, Number, Producer

ORG = "org_1"
STREAM = stream_of("thing", ORG, "a")  # no execution: only numbers and order are judged
META = Meta(organization=ORG, actor="system:test")
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def events() -> list[Event]:
    began = EffectBegan(
        path="post", connector="http-request@1", effect="write", attempt=1,
        idempotency_key="exe_a:post", host="example.com", request="v1.x", first_at=NOW,
    )  # fmt: skip
    ended = EffectEnded(
        path="post", attempt=1, outcome="failed", status=None, duration_ms=1, value=None, bytes=0,
        error=ErrorFact(type="timeout"), retry_at=None,
    )  # fmt: skip
    waits = WaitBegan(path="post", kind="retry", due_at=NOW)
    happened: list[Event] = [began, ended, waits]
    return happened


class Scratch:
    """Databases of executor and audit whose rows anybody may break."""

    def __init__(self, admin_url: str, prefix: str, keys: DayKeys) -> None:
        self._admin, self._prefix, self._keys = admin_url, prefix, keys

    def dsn(self, service: str) -> str:
        return make_conninfo(self._admin, dbname=f"{self._prefix}{service}")

    def run(self, service: str, sql: str) -> None:
        with psycopg.connect(self.dsn(service)) as connection:
            connection.execute(sql.encode())

    def facts(self) -> Facts:
        rows = collect.rows_of(self.dsn)
        head = collect.head_of(rows, "executor")
        log = collect.producer_log(rows, "executor", head)
        published = [Number(n, event_id) for n, event_id in self.published]
        audited = collect.audited(rows, self._keys)["executor"]
        return Facts(producers={"executor": Producer(log, head, head, published, audited)})

    published: list[tuple[int, str]]


@pytest.fixture
async def scratch(servers: Servers, tmp_path: Path) -> Scratch:
    """Three events, committed, published and audited."""
    settings = prepare(servers.admin_url, [EXECUTOR, AUDIT], servers.nats_url, servers.prefix())
    prefix, made = settings.database_prefix, []
    for service in ("executor", "audit"):
        made.append(Database(settings.database_url, service, PASSWORD, PASSWORD, prefix))
        await made[-1].open()
    store = EventStore(made[0])
    await store.note(STREAM, events(), META)
    recorded = await store.load(STREAM)
    keys, people = DayKeys(places_in(tmp_path)), PeopleKeys()
    ring = KeyRing(settings.kek_bytes, people.fetch)
    writer = Writer(keys, People(ring, settings.kek_bytes, people.fetch_by_id))
    async with made[1].work() as connection:
        await connection.exec_driver_sql(
            "insert into readers (name, n, incarnation) values ('trail_executor', 3, 1)"
        )
        await writer.enter(connection, "executor", recorded)
    for database in made:
        await database.close()
    found = Scratch(servers.admin_url, prefix, keys)
    numbers = [collect.number(r.sequence, r.id) for r in recorded]
    found.published = [(number.n, number.id) for number in numbers]
    return found


def said(scratch: Scratch) -> list[str]:
    return [f"{v.guarantee} {v.what}" for v in check(scratch.facts())]


def test_what_the_databases_hold_is_read_as_it_is(scratch: Scratch) -> None:
    log = scratch.facts().producers["executor"].log

    assert said(scratch) == []
    assert [(e.n, e.version, e.path, e.attempt) for e in log] == [
        (1, 1, "post", 1), (2, 2, "post", 1), (3, 3, "post", None),
    ]  # fmt: skip
    assert (log[0].key, log[1].outcome, log[1].error) == ("exe_a:post", "failed", "timeout")


def test_an_audit_row_that_was_deleted_is_missed(scratch: Scratch) -> None:
    scratch.run("audit", "delete from audit_detail where seq = 1")

    assert said(scratch) == ["G3 executor: 1 numbers were never audited, the first is 2"]


def test_a_row_of_the_log_that_was_deleted_is_missed(scratch: Scratch) -> None:
    scratch.run("executor", "delete from log where n = 2")

    found = said(scratch)
    assert "G3 executor: the log lacks 1 of 3 numbers, the first is 2" in found
    assert f"G4 executor: versions of {STREAM} have a gap" in found


def test_numbers_that_were_swapped_are_seen(scratch: Scratch) -> None:
    scratch.run(
        "executor",
        "update log set n = 9 where n = 1; update log set n = 1 where n = 2;"
        " update log set n = 2 where n = 9",
    )

    found = said(scratch)
    assert f"G4 executor: {STREAM} has numbers against its versions" in found
    assert "G3 executor: number 1 was audited as another event than was committed" in found
