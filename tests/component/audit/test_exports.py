"""Exports of a real trail: verified by the standalone verifier, resumable, forgetting with it."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from libs.common import ids
from libs.common.errors import Conflict, Forbidden, NotFound, Rejected
from libs.common.messages import Meta
from libs.common.testing import eventually
from libs.trail.canonical import day_of
from services.audit.contract import ExportTrail, FindExport, ReadExport

from .conftest import ONE, TWO, World

VERIFIER = Path(__file__).parents[3] / "cli" / "audit_verify.py"


async def asked(
    world: World, message: Any, org: str = ONE, actor: str = "per_1", **meta: Any
) -> Any:
    given = Meta(
        organization=org, actor=actor, permissions=frozenset({"audit:export", "audit:read"}), **meta
    )
    return (await world.producers["identity"].bus.ask(message, given)).value


def around(world: World, format_: str = "jsonl", **change: Any) -> ExportTrail:
    """An export of everything that a test has entered."""
    now = datetime.now(UTC)
    given = {"from_at": now - timedelta(hours=1), "to_at": now + timedelta(hours=1)} | change
    return ExportTrail.model_validate({"format": format_} | given)


async def made(world: World, command: ExportTrail, org: str = ONE) -> dict[str, Any]:
    begun = await asked(world, command, org)
    assert (begun["kind"], begun["ended_at"]) == ("export-trail", None)

    async def look() -> dict[str, Any]:
        return await asked(world, FindExport(operation_id=begun["id"]), org)

    return await eventually(look, lambda shown: shown["ended_at"] is not None, 30)


async def read(world: World, operation: str, at: int = 0) -> bytes:
    """From a byte on to the end, as the gateway does it."""
    found, total = b"", None
    while total is None or at < total:
        part = await asked(world, ReadExport(operation_id=operation, at=at))
        total, text = part["total"], part["text"].encode()
        piece = text[at - part["start"] :]
        found, at = found + piece, at + len(piece)
    return found


def verified(
    world: World, text: bytes, folder: Path, *more: str
) -> subprocess.CompletedProcess[str]:
    """By the one file alone, in a folder that knows nothing of Troth."""
    file = folder / "export.jsonl"
    file.write_bytes(text)
    return subprocess.run(
        [sys.executable, "-I", str(VERIFIER), "export", str(file), "--key",
         str(world.parts.proof.signer.verifier), "--memory", str(folder / "memory"), *more],
        capture_output=True, text=True, cwd=folder, check=False,
        env={"PATH": os.environ["PATH"]},
    )  # fmt: skip


async def mixed(world: World) -> None:
    """People, keys, the system; a person who is forgotten; several batches."""
    for count, actor in ((3, "per_1"), (70, "key_1"), (2, "per_2"), (100, "system:executor")):
        await world.note(count, actor=actor)
    await world.note(4, TWO)
    await world.complete()


async def test_an_export_verifies_with_nothing_but_the_file_and_the_key(
    world: World, tmp_path: Path
) -> None:
    await mixed(world)
    shown = await made(world, around(world))
    assert (shown["status"], shown["total"]) == ("succeeded", shown["done"])
    assert shown["total"] >= 175
    text = await read(world, shown["id"])
    lines = [json.loads(line) for line in text.splitlines()]
    assert (lines[0]["first"], lines[0]["count"]) == (0, shown["total"])
    assert [line["seq"] for line in lines[1:-1]] == list(range(shown["total"]))
    actors = {line["fields"]["actor"]["value"] for line in lines[1:-1]}
    assert {"per_1", "per_2", "key_1", "system:executor"} <= actors
    assert {"value", "salt"}.isdisjoint(lines[1]["fields"]["number"])
    said = verified(world, text, tmp_path)
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.77, 0.99])
async def test_an_export_with_a_changed_byte_does_not_verify(
    world: World, tmp_path: Path, share: float
) -> None:
    await mixed(world)
    shown = await made(world, around(world))
    text = await read(world, shown["id"])
    at = text.index(b'"', int(len(text) * share)) + 1
    changed = text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :]
    said = verified(world, changed, tmp_path)
    assert said.returncode == 1, said.stdout + said.stderr
    assert "line" in said.stdout


async def test_any_byte_is_where_a_download_may_go_on(world: World) -> None:
    await mixed(world)
    shown = await made(world, around(world))
    text = await read(world, shown["id"])
    for at in (0, 1, len(text) // 3, len(text) // 2, len(text) - 1):
        assert await read(world, shown["id"], at) == text[at:]
    assert await read(world, shown["id"], len(text)) == b""
    with pytest.raises(NotFound):
        await asked(world, ReadExport(operation_id=shown["id"], at=len(text) + 1))


async def test_exports_that_follow_each_other_are_held_together(
    world: World, tmp_path: Path
) -> None:
    await mixed(world)
    first = await read(world, (await made(world, around(world)))["id"])
    assert verified(world, first, tmp_path).returncode == 0
    await world.note(90)
    await world.complete()
    second = await read(world, (await made(world, around(world)))["id"])
    assert verified(world, second, tmp_path).returncode == 0
    # The older one is not the newest any more.
    assert verified(world, first, tmp_path).returncode == 1
    assert verified(world, first, tmp_path, "--older").returncode == 0


async def test_only_the_entries_of_the_time_are_exported(world: World, tmp_path: Path) -> None:
    await world.note(5)
    await world.complete()
    middle = datetime.now(UTC)
    await world.note(6)
    await world.complete()
    early = await made(world, around(world, to_at=middle))
    late = await made(world, around(world, from_at=middle))
    assert early["total"] == 5
    assert late["total"] >= 6
    for shown in (early, late):
        text = await read(world, shown["id"])
        said = verified(world, text, tmp_path, "--older")
        assert said.returncode == 0, said.stdout + said.stderr
    old = datetime.now(UTC) - timedelta(days=30)
    none = await made(world, around(world, from_at=old, to_at=old + timedelta(days=1)))
    assert none["total"] == 0
    said = verified(world, await read(world, none["id"]), tmp_path, "--older")
    assert said.returncode == 0, said.stdout + said.stderr


async def test_what_is_forgotten_meanwhile_is_not_in_the_export_any_more(
    world: World, tmp_path: Path
) -> None:
    await mixed(world)
    before = await made(world, around(world))
    assert await read(world, before["id"])
    world.parts.keys.forget_until(day_of(datetime.now(UTC)) + 1)
    with pytest.raises(Conflict, match="export it again") as changed:
        await read(world, before["id"])
    assert changed.value.code == "export-changed"
    after = await read(world, (await made(world, around(world)))["id"])
    lines = [json.loads(line) for line in after.splitlines()]
    assert all("body" in line and "fields" not in line for line in lines[1:-1])
    said = verified(world, after, tmp_path)
    assert said.returncode == 0, said.stdout + said.stderr


async def test_an_export_is_its_callers_alone(world: World) -> None:
    await mixed(world)
    shown = await made(world, around(world))
    for message in (FindExport(operation_id=shown["id"]), ReadExport(operation_id=shown["id"])):
        for org, actor in ((TWO, "per_1"), (ONE, "per_2")):
            with pytest.raises(NotFound):
                await asked(world, message, org, actor)
        with pytest.raises(Forbidden):
            await world.ask(message, ONE, "audit:read")
    with pytest.raises(NotFound):
        await asked(world, FindExport(operation_id="op_audit" + "0" * 26))


async def test_an_export_is_promised_once_and_only_for_a_time_that_is_one(world: World) -> None:
    await mixed(world)
    command = around(world)
    meta = {"command_id": str(ids.uuid7()), "command_digest": "d"}
    first = await asked(world, command, **meta)
    assert (await asked(world, command, **meta))["id"] == first["id"]
    with pytest.raises(Rejected, match="before"):
        await asked(world, around(world, to_at=command.from_at))
    with pytest.raises(Rejected):
        await asked(world, command, "org_nobody")


async def test_an_ocsf_export_has_an_event_for_each_entry(world: World) -> None:
    await mixed(world)
    shown = await made(world, around(world, "ocsf"))
    events = [json.loads(line) for line in (await read(world, shown["id"])).splitlines()]
    assert len(events) == shown["total"]
    for at, event in enumerate(events):
        assert event["class_uid"] in (3002, 6003)
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert event["metadata"]["sequence"] == event["unmapped"]["troth"]["seq"] == at
