"""Day after day, with everything started anew: who did what is gone after ninety days, what runs is
whole, and what was taken away on the first day still verifies."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests_support.api import Api
from tests_support.disk import read
from tests_support.meetings import new
from tests_support.stack import Stack, until
from tests_support.traces_of import Hit, in_files, in_tables
from tests_support.world import (
    MARK,
    OPERATOR,
    World,
    asked,
    asker,
    greeter,
    sign_in,
)

from libs.embedded.folder import DataFolder

ROOT = Path(__file__).parents[3]
AGENT = f"{MARK} agent of the first day"
EARLY = (6, 89)
"""Days on which details still have to be there."""
SAMPLES = """
select encode(substring(sealed from 9 for 24), 'hex') from audit_detail
where day = %s order by seq limit 40
"""


@dataclass
class Life:
    """An installation and what it has of the first day."""

    world: World
    folder: Path
    begun: datetime
    trail: str = ""
    ended: str = ""
    parked: tuple[str, str] = ("", "")
    workflow: str = ""
    export: Path = Path()
    samples: list[bytes] = field(default_factory=list)
    keys: bytes = b""

    @property
    def api(self) -> Api:
        return self.world.home.owner

    @property
    def day(self) -> int:
        return int(self.begun.timestamp()) // 86_400

    def move(self, days: float) -> None:
        """Stops everything and starts it again that much after the first day."""
        stack = self.world.stack
        stack.stop()
        stack.settings["TROTH_CLOCK_OFFSET_S"] = str(days * 86_400)
        stack.start()
        public = Api(stack.address, self.world.document)
        self.world.public = public
        email, password = OPERATOR["email"], OPERATOR["password"]
        self.world.home.owner = sign_in(public, email, 2, password)

    def details(self) -> list[dict[str, Any]]:
        """What the trail says of who did what on the first day."""
        to = (self.begun + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
        return self.api.everything(f"/v1/audit/events?to={to}")


@pytest.fixture(scope="module")
def life(world: World, tmp_path_factory: pytest.TempPathFactory) -> Life:
    """After this the installation's clock is months ahead."""
    made = Life(world, tmp_path_factory.mktemp("life"), datetime.now(UTC))
    first_day(made)
    return made


def first_day(life: Life) -> None:
    api, world = life.api, life.world
    name = new("greeter")
    workflow = publish(api, greeter(name))
    life.workflow = workflow
    path = f"/hooks/{world.home.id}/{name}"
    said = until(lambda: greeted(world, path))
    assert MARK in said["text"]
    life.ended = until(lambda: api.get(f"/v1/executions?workflow={workflow}")["data"])[0]["id"]
    life.parked = asked(api, publish(api, asker(new("asker"))))
    wrong = {"email": api.email, "password": f"{MARK} wrong", "as": "token"}
    assert api.ask("POST", "/v1/sessions", wrong).status_code == 401
    world.stack.settled()
    life.trail = api.get("/v1/audit/checkpoint")["trail"]
    life.export = exported(life, "first-day")
    assert "sound" in verified(life, life.export)
    life.samples = [bytes.fromhex(row[0]) for row in world.stack.rows("audit", SAMPLES, life.day)]
    life.keys = b"".join(place.read_bytes() for place in key_files(world.stack))


def publish(api: Api, text: str) -> str:
    headers = {"content-type": "application/yaml"}
    made = api.post("/v1/workflows", content=text.encode(), headers=headers)
    api.post(f"/v1/workflows/{made['id']}/publish", {"draft_version": 1})
    return made["id"]


def greeted(world: World, path: str) -> Any:
    answer = world.public.client.post(
        path, json={"who": MARK}, headers={"user-agent": AGENT, "idempotency-key": new("key")}
    )
    return answer.json() if answer.status_code == 200 else None


def exported(life: Life, name: str) -> Path:
    """Everything of the trail so far, as lines in a file."""
    now = datetime.now(UTC) + timedelta(days=float(offset(life)) / 86_400)
    body = {"format": "jsonl", "from": (life.begun - timedelta(days=1)).isoformat(),
            "to": (now + timedelta(minutes=1)).isoformat()}  # fmt: skip
    answer = life.api.ask("POST", "/v1/audit/exports", body, {"Prefer": "wait=30"})
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded"), answer.text
    lines = life.api.ask("GET", f"/v1/operations/{answer.json()['id']}/result")
    file = life.folder / name
    file.write_bytes(lines.content)
    return file


def offset(life: Life) -> str:
    return life.world.stack.settings.get("TROTH_CLOCK_OFFSET_S", "0")


def verified(life: Life, file: Path) -> str:
    """What the verifier says, alone; it remembers the last checkpoint between the days."""
    (key,) = life.world.public.get("/v1/audit/keys")["data"]
    said = subprocess.run(
        [sys.executable, "-I", str(ROOT / "cli" / "audit_verify.py"), "export", str(file),
         "--memory", str(life.folder / "memory"), "--key", key["verifier_key"]],
        capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


def key_files(stack: Stack) -> list[Path]:
    return [stack.data / "keys" / "audit-days", stack.data / "keys-second" / "audit-days"]


# -- the days ------------------------------------------------------------------------------------


def test_nothing_goes_before_its_day(life: Life) -> None:
    first = {one["id"] for one in life.details()}
    assert len(first) > 20
    for days in EARLY:
        life.move(days)
        assert {one["id"] for one in life.details()} >= first, f"after {days} days"
        execution = life.api.ask("GET", f"/v1/executions/{life.ended}")
        if days == 6:
            assert execution.status_code == 200, "the smallest plan keeps seven days"


def test_the_history_of_a_plan_went_and_what_runs_is_whole(life: Life) -> None:
    gone = f"/v1/executions/{life.ended}"
    until(lambda: life.api.ask("GET", gone).status_code == 404)
    assert not life.api.get(f"/v1/executions?workflow={life.workflow}")["data"]
    execution, approval = life.parked
    assert life.api.get(f"/v1/executions/{execution}")["status"] == "waiting"
    life.api.post(f"/v1/approvals/{approval}/approve")
    ended = until(lambda: (e := life.api.get(f"/v1/executions/{execution}"))["outcome"] and e)
    assert ended["outcome"] == "succeeded"


def test_after_ninety_days_nobody_can_say_who_did_what(life: Life) -> None:
    for days in (90.1, 91.1, 92.1):
        life.move(days)
        life.world.stack.settled()
    stack = life.world.stack
    until(lambda: not life.details(), 60, life.details)
    left = "select count(*) from audit_detail where day = %s"
    until(lambda: stack.rows("audit", left, life.day) == [(0,)], 60)
    ledger = "select count(*) from forget_ledger where kind = 'day'"
    assert stack.rows("audit", ledger)[0][0] >= 1


def test_it_is_in_no_place_any_more(life: Life) -> None:
    now = b"".join(place.read_bytes() for place in key_files(life.world.stack))
    assert now != life.keys
    with superuser(life.world.stack, "postgres") as connection:
        connection.execute("checkpoint")
    hits: list[Hit] = []
    looked: dict[str, int] = {}
    for place in ("postgres", "nats", "logs", "keys", "keys-second"):
        found, looked[place] = in_files([life.world.stack.data / place], MARK)
        hits += found
    with superuser(life.world.stack, "troth_audit") as connection:
        found, looked["audit"] = in_tables(connection, "audit", MARK)
        hits += found
    assert not hits, "\n".join(f"{hit.where} ({hit.form}): {hit.around}" for hit in hits[:20])
    assert min(looked.values()) > 0, looked
    assert len(life.samples) > 20
    tables = [path for path in (life.world.stack.data / "postgres").rglob("base/**/*")
              if path.is_file()]  # fmt: skip
    everything = b"".join(read(path) for path in tables)
    assert not [one.hex() for one in life.samples if one in everything], "its details are dropped"


def test_what_was_taken_away_on_the_first_day_still_verifies(life: Life) -> None:
    assert "sound" in verified(life, life.export)
    assert "sound" in verified(life, exported(life, "last-day"))
    whole = life.world.stack.rows("audit", "select sum(size) from trail_heads")[0][0]
    leaves = life.world.stack.rows("audit", "select sum(length(leaves) / 40) from audit_leaf")
    assert leaves[0][0] is not None and whole > 0, "the trail keeps that each entry was"


def test_people_go_on_as_before(life: Life) -> None:
    again = sign_in(Api(life.world.stack.address, life.world.document), "bob@example.com")
    assert again.get("/v1/me")["person"]["email"] == "bob@example.com"


def superuser(stack: Stack, database: str) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host="127.0.0.1", port=stack.state.postgres.port, dbname=database, user="postgres",
        password=DataFolder(stack.data).read_secrets().postgres, autocommit=True,
    )  # fmt: skip
