"""What tests of witnesses share: a trail, those who sign along, and turns of both."""

import logging
from typing import Any

import pytest

from libs.common.testing import eventually
from libs.trail.cosignatures import Cosigner
from libs.trail.notes import split_note
from services.audit.contract import FindCheckpoint
from tests.fakes.witness import Witness

from .conftest import World

# Nothing of what they do lasts that long; whoever hangs, hangs for as long as a test looks.
TIMEOUT_S = 60.0


async def begin(world: World, *witnesses: Witness, known: bool = True) -> str:
    """Three entries are signed for; then the witnesses are named. The origin of the trail."""
    await world.note(3)
    await world.complete()
    await world.parts.proof.signer.round(world.now)
    origin = split_note((await world.ask(FindCheckpoint()))["checkpoint"])[0].split("\n")[0]
    for witness in witnesses:
        witness.knows(world.parts.proof.signer.verifier, *([origin] if known else []))
    named = ", ".join(witness.setting for witness in witnesses)
    change = {"audit_witnesses": named, "audit_witness_timeout_s": TIMEOUT_S}
    world.settings = world.settings.model_copy(update=change)
    await world.restart_audit()
    return origin


async def sign(world: World, count: int = 0) -> None:
    """More entries, and a checkpoint of them."""
    if count:
        await world.note(count)
        await world.complete()
    await world.parts.proof.signer.round(world.now)


async def turn(world: World, count: int = 0) -> None:
    """The same, and then a round of the witnesses."""
    await sign(world, count)
    await world.parts.proof.witnesses.round()


async def signed_by(world: World, size: int | None = None) -> tuple[int, list[str]]:
    """The size of the last checkpoint (or one of a size), and the names below its note."""
    shown = await world.ask(FindCheckpoint(size=size))
    names = [name for name, _ in split_note(shown["checkpoint"])[1]]
    assert names[0] == "troth/audit"
    return shown["size"], names[1:]


async def cosigned(world: World, witness: Witness) -> dict[str, Any]:
    """The last checkpoint as soon as this witness has signed it, and that it has."""
    cosigner = Cosigner.parse(witness.key)
    name = cosigner.name

    async def look() -> list[str]:
        return (await signed_by(world))[1]

    await eventually(look, lambda names: name in names)
    shown = await world.ask(FindCheckpoint())
    assert cosigner.open(shown["checkpoint"]) == split_note(shown["checkpoint"])[0]
    return shown


async def rows(world: World, sql: str) -> list[Any]:
    with world.as_administrator() as admin:
        return admin.execute(sql.encode()).fetchall()


def said(caplog: pytest.LogCaptureFixture, words: str, level: int = logging.WARNING) -> int:
    return sum(words in r.message and r.levelno == level for r in caplog.records)
