"""Checkpoints, proofs, tiles and consistency of a real trail, checked with nothing but the key."""

import base64
from typing import Any

import pytest
from sqlalchemy import text

from libs.common.errors import Forbidden, NotFound, Rejected
from libs.common.testing import eventually
from libs.trail import notes, paths
from libs.trail.proofs import Proof
from libs.trail.tree import Frontier
from services.audit.batch import trail_name
from services.audit.contract import (
    FindCheckpoint,
    FindCheckpoints,
    FindConsistency,
    FindEntries,
    FindProof,
    FindTile,
    FindVerifierKeys,
)

from .conftest import ONE, TWO, World


def verifier(world: World) -> notes.Verifier:
    return world.parts.proof.signer.verifier


async def signed(world: World) -> notes.Checkpoint:
    """The last checkpoint of the first organization, after a round."""
    await world.parts.proof.signer.round(world.now)
    return opened(world, await world.ask(FindCheckpoint()))


def opened(world: World, shown: dict[str, Any]) -> notes.Checkpoint:
    found = notes.Checkpoint.parse(verifier(world).open(shown["checkpoint"]))
    assert (found.trail, found.size) == (shown["trail"], shown["size"])
    assert found.root == notes.unb64(shown["root"])
    return found


async def test_every_entry_of_a_trail_is_proved_against_the_signed_checkpoint(
    world: World,
) -> None:
    await world.note(3, TWO)
    for count in (1, 5, 300, 7):
        await world.note(count)
    await world.complete()
    checkpoint = await signed(world)
    assert checkpoint.size == 313
    seen, after = set(), None
    while True:
        page = await world.ask(FindEntries(limit=200, after=after))
        for entry in page["data"]:
            shown = await world.ask(FindProof(event_id=entry["id"]))
            proof = Proof.parse(shown["proof"])
            assert proof.extra is not None
            assert verifier(world).open(proof.checkpoint) == checkpoint.text()
            assert proof.extra["fields"]["id"]["value"] == entry["id"]
            leaf = notes.unb64(proof.extra["leaf"])
            assert paths.included(leaf, proof.index, checkpoint.size, proof.hashes, checkpoint.root)
            seen.add(proof.index)
        if (after := page["next"]) is None:
            break
    assert seen == set(range(313))


async def test_an_entry_that_no_checkpoint_reaches_is_not_proved_yet(world: World) -> None:
    await world.note(1)
    await world.complete()
    (entry,) = (await world.ask(FindEntries()))["data"]
    with pytest.raises(Rejected, match="the next checkpoint"):
        await world.ask(FindProof(event_id=entry["id"]))
    await signed(world)
    assert await world.ask(FindProof(event_id=entry["id"]))
    with pytest.raises(NotFound):
        await world.ask(FindProof(event_id=entry["id"]), TWO)


async def test_tiles_of_all_levels_give_the_root(world: World) -> None:
    for _ in range(3):
        await world.note(200)
    await world.complete()
    checkpoint = await signed(world)
    assert checkpoint.size == 600

    async def tile(level: int, index: int, width: int = 256) -> list[bytes]:
        shown = await world.ask(FindTile(level=level, index=index, width=width))
        joined = base64.b64decode(shown["hashes"])
        return [joined[at : at + 32] for at in range(0, len(joined), 32)]

    leaves = [*await tile(0, 0), *await tile(0, 1), *await tile(0, 2, 88)]
    frontier = Frontier()
    frontier.extend(leaves)
    assert frontier.root() == checkpoint.root
    above = await tile(1, 0, 2)
    for at, hash_ in enumerate(above):
        one = Frontier()
        one.extend(leaves[at * 256 : (at + 1) * 256])
        assert one.root() == hash_
    for missing in ((0, 2, 256), (0, 3, 1), (1, 0, 3), (2, 0, 1)):
        with pytest.raises(NotFound):
            await tile(*missing)


async def test_every_checkpoint_is_the_beginning_of_every_later_one(world: World) -> None:
    for count in (1, 2, 60, 250):
        await world.note(count)
        await world.complete()
        await signed(world)
    page = await world.ask(FindCheckpoints(order="asc"))
    found = [opened(world, shown) for shown in page["data"]]
    assert [one.size for one in found] == [1, 3, 63, 313]
    for n, old in enumerate(found):
        for new in found[n:]:
            shown = await world.ask(FindConsistency(from_size=old.size, to_size=new.size))
            proof = [notes.unb64(hash_) for hash_ in shown["hashes"]]
            assert paths.consistent(old.size, new.size, old.root, new.root, proof)
    with pytest.raises(Rejected, match="up to 313"):
        await world.ask(FindConsistency(from_size=1, to_size=314))


async def test_other_organizations_trails_are_not_there(world: World) -> None:
    await world.note(2, ONE)
    await world.note(2, TWO)
    await world.complete()
    mine = await signed(world)
    theirs = (await world.ask(FindCheckpoint(), TWO))["trail"]
    assert theirs != mine.trail
    for query in (
        FindCheckpoint(trail=theirs), FindConsistency(trail=theirs, from_size=1, to_size=2),
        FindTile(trail=theirs, level=0, index=0, width=1), FindCheckpoints(trail=theirs),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await world.ask(query, ONE)
    with pytest.raises(Forbidden):
        await world.ask(FindCheckpoint(), ONE, "usage:read")


async def test_the_operator_alone_sees_the_instances_trail(world: World) -> None:
    await world.note(1)
    await world.audit.note_start("1", "0" * 16)
    await world.complete()
    await signed(world)
    async with world.audit.database.work() as connection:
        found = await connection.execute(text("select trail from trails where org = 'instance'"))
        instance = found.scalar_one()
    name = trail_name(instance)
    shown = await world.ask(FindCheckpoint(trail=name))
    assert opened(world, shown).trail == name
    with pytest.raises(NotFound):
        await world.ask(FindCheckpoint(trail=name), ONE, "audit:read")


async def test_anybody_gets_the_key_that_verifies(world: World) -> None:
    shown = await world.ask(FindVerifierKeys())
    assert [key["verifier_key"] for key in shown["data"]] == [str(verifier(world))]


async def test_a_trail_is_signed_without_anybody_asking(world: World) -> None:
    await world.note(1)
    await world.complete()
    await world.restart_audit()
    shown = await eventually(lambda: _maybe(world), lambda found: found is not None)
    assert shown is not None and opened(world, shown).size == 1


async def _maybe(world: World) -> dict[str, Any] | None:
    try:
        return await world.ask(FindCheckpoint())
    except NotFound:
        return None
