"""What cosignatures are good for: another history gets none, and what is given out carries them."""

import logging
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from cli import audit_verify
from libs.trail.notes import split_note
from services.audit.contract import CheckpointSigned, FindEntries, FindProof
from tests.fakes.witness import Witness

from .conftest import World
from .test_exports import around, made, read, verified
from .witnessed import begin, cosigned, rows, said, signed_by, turn

MINE = "(select trail from trails where org = 'org_one')"
REWRITTEN = (
    "update audit_leaf set leaves = set_byte(leaves, 7, get_byte(leaves, 7) # 1)"
    f" where trail = {MINE} and first = 0"
)
UNSIGNED = f"delete from checkpoints where trail = {MINE}"
UNWITNESSED = "delete from cosignatures"


async def attack(world: World, *statements: str) -> None:
    """By a superuser of the database who also has the signing key, and takes the memory away."""
    await world.audit.stop()
    with world.as_administrator() as admin:
        for statement in statements:
            admin.execute(statement.encode())
    place = world.settings.signing_place
    place.with_name(f"{place.name}-seen").unlink()
    world.parts = world.build()
    world.audit = world.parts.service
    await world.audit.start()


@pytest.mark.parametrize("also", [(), (UNWITNESSED,)], ids=["kept", "cosignatures gone"])
async def test_who_has_key_database_and_memory_gets_no_cosignature_for_another_history(
    world: World, one: Witness, tmp_path: Path, also: tuple[str, ...],
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    origin = await begin(world, one)
    await cosigned(world, one)
    await turn(world, 5)
    before = one.trees[origin]
    await attack(world, REWRITTEN, UNSIGNED, *also)
    await turn(world, 2)
    assert (await signed_by(world))[0] == 10, "the installation itself has signed another history"
    for _ in range(3):
        world.now += timedelta(hours=1)
        await turn(world, 1)
    assert (await signed_by(world))[1] == []
    assert one.trees[origin] == before
    assert said(caplog, "has seen another trail", logging.CRITICAL) >= 1
    proof = await first_proof(world)
    assert verify(world, tmp_path, proof) == 0
    assert verify(world, tmp_path, proof, "--witness", one.key) == 1
    assert "witness.example/one has not signed it" in capsys.readouterr().out


async def test_a_trail_that_was_rewritten_up_to_the_size_that_was_cosigned_is_refused(
    world: World, one: Witness, caplog: pytest.LogCaptureFixture
) -> None:
    await begin(world, one)
    await cosigned(world, one)
    await attack(world, REWRITTEN, UNSIGNED, UNWITNESSED)
    await turn(world)
    assert await signed_by(world) == (3, [])
    assert one.seen[-2:] == [(0, 3), (3, 3)]
    assert said(caplog, "has seen another trail", logging.CRITICAL) == 1


@pytest.mark.parametrize("also", [(), (UNWITNESSED,)], ids=["kept", "cosignatures gone"])
async def test_a_trail_that_was_rolled_back_is_noticed_by_what_a_witness_has_seen(
    world: World, one: Witness, also: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    await begin(world, one)
    await cosigned(world, one)
    await turn(world, 5)
    await attack(
        world, UNSIGNED, f"delete from audit_leaf where trail = {MINE} and first >= 3",
        f"update trail_heads set size = 3 where trail = {MINE}", *also,
    )  # fmt: skip
    await turn(world)
    assert await signed_by(world, 3) == (3, ["witness.example/one"] if not also else [])
    assert said(caplog, "has seen a longer trail", logging.CRITICAL) == 1


async def first_proof(world: World) -> str:
    entry = (await world.ask(FindEntries(limit=1)))["data"][0]
    return (await world.ask(FindProof(event_id=entry["id"])))["proof"]


def verify(world: World, folder: Path, proof: str, *more: str) -> int:
    file, key = folder / "proof", str(world.parts.proof.signer.verifier)
    file.write_text(proof)
    memory = str(folder / "memory")
    return audit_verify.main(["proof", str(file), "--key", key, "--memory", memory, *more])


# -- what is given out -----------------------------------------------------------------------------


async def test_proofs_and_exports_carry_the_cosignatures_and_an_export_stays_what_it_was(
    world: World, one: Witness, two: Witness, tmp_path: Path
) -> None:
    await begin(world, one, two)
    await cosigned(world, one)
    await cosigned(world, two)
    both = ("--witness", one.key, "--witness", two.key)
    assert verify(world, tmp_path, await first_proof(world), *both) == 0
    two.instead = lambda seen: 503
    await world.note(20)
    await world.complete()
    shown = await made(world, around(world))
    whole = await read(world, shown["id"])
    assert verified(world, whole, tmp_path, "--witness", one.key).returncode == 0
    missing = verified(world, whole, tmp_path, *both)
    assert missing.returncode == 1
    assert "field checkpoint: witness.example/two has not signed it" in missing.stdout
    two.instead = None
    await turn(world)
    await cosigned(world, two)
    assert await read(world, shown["id"]) == whole


async def test_what_is_told_of_a_checkpoint_is_the_signers_own_note(
    world: World, one: Witness
) -> None:
    await begin(world, one)
    shown = await cosigned(world, one)
    for _ in range(2):
        await world.parts.proof.announcer.turn(world.now)
        world.now += timedelta(hours=1)
    told = f"select data ->> 'note' from log where type = '{CheckpointSigned.type}'"
    ((note,),) = await rows(world, told)
    assert shown["checkpoint"].startswith(note)
    assert [name for name, _ in split_note(note)[1]] == ["troth/audit"]


async def test_only_the_signer_may_write_cosignatures_and_nobody_may_change_them(
    world: World, one: Witness
) -> None:
    await begin(world, one)
    await cosigned(world, one)
    changes = (
        "update cosignatures set size = 1", "delete from cosignatures", "truncate cosignatures",
        "drop table cosignatures",
    )  # fmt: skip
    for statement in ("insert into cosignatures select * from cosignatures", *changes):
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
            async with world.audit.database.work() as connection:
                await connection.execute(text(statement))
    for statement in changes:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with world.parts.proof.signer._connect() as connection:
                await connection.execute(statement.encode())
