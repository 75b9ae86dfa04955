"""The proof of the trail over HTTP: what a customer gets verifies with the one file alone."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests_support.api import Api
from tests_support.stack import until
from tests_support.world import World

from libs.trail.notes import Verifier
from tests.fakes.witness import Witness

VERIFIER = Path(__file__).parents[3] / "cli" / "audit_verify.py"
LINES = "application/jsonl"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def key(world: World) -> str:
    signer, _ = world.public.get("/v1/audit/keys")["data"]
    return signer["verifier_key"]


def verify(world: World, folder: Path, *words: str, token: str = "") -> str:
    """What the verifier says; it has to find no fault."""
    said = asked(world, folder, *words, token=token)
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


def asked(
    world: World, folder: Path, *words: str, token: str
) -> "subprocess.CompletedProcess[str]":
    memory = ["--memory", str(folder / "memory"), "--key", key(world)]
    return subprocess.run(
        [sys.executable, "-I", str(VERIFIER), *words, *memory], capture_output=True, text=True,
        cwd=folder, env={"PATH": os.environ["PATH"], "TOKEN": token}, check=False,
    )  # fmt: skip


def exported(api: Api, format_: str = "jsonl") -> str:
    """The path of the result of an export of everything so far."""
    now = datetime.now(UTC)
    body = {"format": format_, "from": (now - timedelta(days=1)).isoformat(),
            "to": (now + timedelta(minutes=1)).isoformat()}  # fmt: skip
    answer = api.ask("POST", "/v1/audit/exports", body, {"Prefer": "wait=30"})
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded"), answer.text
    operation = answer.json()["id"]
    assert answer.headers["location"] == f"/v1/operations/{operation}"
    assert api.get(f"/v1/operations/{operation}") == answer.json()
    return f"/v1/operations/{operation}/result"


def test_a_proof_of_an_entry_verifies_offline(world: World, folder: Path) -> None:
    owner = world.home.owner
    answer = owner.ask("GET", f"/v1/audit/events/{world.home.ids['event']}/proof")
    assert answer.headers["content-type"].startswith("text/plain")
    file = folder / "proof"
    file.write_bytes(answer.content)
    assert "sound" in verify(world, folder, "proof", str(file))
    foreign = owner.ask("GET", f"/v1/audit/events/{world.other.ids['event']}/proof")
    assert foreign.status_code == 404


def test_an_export_verifies_offline_and_goes_on_where_it_broke_off(
    world: World, folder: Path
) -> None:
    owner = world.home.owner
    path = exported(owner)
    answer = owner.ask("GET", path, headers={"Accept": LINES})
    assert (answer.status_code, answer.headers["accept-ranges"]) == (200, "bytes")
    whole, tag = answer.content, answer.headers["etag"]
    file = folder / "export"
    file.write_bytes(whole)
    assert "sound" in verify(world, folder, "export", str(file))
    for at in (1, len(whole) // 2, len(whole) - 1):
        wanted = {"Range": f"bytes={at}-", "If-Range": tag}
        part = owner.ask("GET", path, headers=wanted)
        assert part.status_code == 206
        assert part.content == whole[at:]
        assert part.headers["content-range"] == f"bytes {at}-{len(whole) - 1}/{len(whole)}"
    few = owner.ask("GET", path, headers={"Range": "bytes=10-19"})
    assert (few.status_code, few.content) == (206, whole[10:20])
    other = owner.ask("GET", path, headers={"Range": "bytes=10-", "If-Range": '"other"'})
    assert (other.status_code, other.content) == (200, whole)
    beyond = owner.ask("GET", path, headers={"Range": f"bytes={len(whole)}-"})
    assert (beyond.status_code, beyond.json()["code"]) == (416, "range-not-satisfiable")


def test_an_export_is_its_callers_and_needs_the_permission(world: World) -> None:
    path = exported(world.home.owner, "ocsf")
    assert world.other.owner.ask("GET", path).status_code == 404
    auditor = world.member("aud", "auditor")
    assert auditor.ask("GET", path).status_code == 404
    assert exported(auditor)
    admin = world.member("adm", "admin")
    refused = admin.ask("POST", "/v1/audit/exports", {"format": "jsonl", "from": "x", "to": "x"})
    assert (refused.status_code, refused.json()["permission"]) == (403, "audit:export")


def test_a_live_instance_verifies_again_and_again(world: World, folder: Path) -> None:
    owner = world.home.owner
    trail = owner.get("/v1/audit/checkpoint")["trail"]
    live = ("live", world.stack.address, "--trail", trail, "--token-env", "TOKEN")
    token = world.key("audit:read").tokens[0]
    first = verify(world, folder, *live, token=token)
    world.key("members:read")
    world.stack.settled()
    exported(owner)  # signs at once
    second = verify(world, folder, *live, token=token)
    assert first != second
    foreign = world.other.owner.get("/v1/audit/checkpoint")["trail"]
    assert owner.ask("GET", f"/v1/audit/checkpoint?trail={foreign}").status_code == 404


def test_a_live_instance_is_held_to_the_witness_that_its_operator_named(
    world: World, folder: Path, witness: Witness
) -> None:
    owner = world.home.owner
    signer, shown = world.public.get("/v1/audit/keys")["data"]
    assert (signer["of"], shown["of"]) == ("signer", "witness")
    assert (shown["verifier_key"], shown["cosigned_at"]) == (witness.key, None)
    trail = owner.get("/v1/audit/checkpoint")["trail"]
    live = ("live", world.stack.address, "--trail", trail, "--token-env", "TOKEN",
            "--witness", witness.key)  # fmt: skip
    token = world.key("audit:read").tokens[0]
    before = asked(world, folder, *live, token=token)
    assert before.returncode == 1, before.stdout + before.stderr
    assert "witness.example/api has not signed it" in before.stdout
    witness.knows(Verifier.parse(key(world)), f"troth/{trail}")
    witness.instead = None
    try:
        until(lambda: asked(world, folder, *live, token=token).returncode == 0)
    finally:
        witness.instead = lambda seen: 503
    assert {200} <= {*witness.answered}


def test_a_checkpoint_is_a_note_for_who_wants_text(world: World) -> None:
    shown = world.home.owner.get("/v1/audit/checkpoint")
    path = f"/v1/audit/checkpoint?size={shown['size']}"
    answer = world.home.owner.ask("GET", path, headers={"Accept": "text/plain"})
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text == shown["checkpoint"]
    tile = world.home.owner.ask("GET", "/v1/audit/tiles/0/0?width=1")
    assert (tile.headers["content-type"], len(tile.content)) == ("application/octet-stream", 32)


def test_pages_of_checkpoints_have_no_gap_while_others_are_signed(world: World) -> None:
    owner = world.home.owner
    for _ in range(3):
        world.key("members:read")
        world.stack.settled()
        exported(owner)
    path = "/v1/audit/checkpoints?order=asc"
    whole = [shown["size"] for shown in owner.everything(path)]
    paged = [shown["size"] for shown in owner.everything(path, limit=1)]
    assert len(whole) >= 3
    assert whole == sorted(set(whole))
    assert paged[: len(whole)] == whole
