"""Witnesses sign checkpoints along: asked when it is due, one by one, and believed by their key."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from libs.trail.notes import split_note
from services.audit.contract import FindCheckpoint, FindCheckpoints, FindVerifierKeys
from services.audit.witness_protocol import MEANS
from tests.fakes.receiver import Answer, Said, Seen
from tests.fakes.witness import Witness

from .conftest import World
from .witnessed import begin, cosigned, rows, said, sign, signed_by, turn


async def test_a_checkpoint_is_cosigned_without_anybody_asking(
    world: World, one: Witness, two: Witness
) -> None:
    await begin(world, one, two)
    shown = await cosigned(world, one)
    await cosigned(world, two)
    assert shown["size"] == 3
    assert one.seen == two.seen == [(0, 3)]
    assert (await world.ask(FindCheckpoints()))["data"] == [await world.ask(FindCheckpoint())]


async def test_a_witness_is_asked_from_the_size_that_it_signed_last(
    world: World, one: Witness
) -> None:
    await begin(world, one)
    await cosigned(world, one)
    await turn(world, 300)
    await turn(world)
    await turn(world, 7)
    assert one.seen == [(0, 3), (3, 303), (303, 310)]
    assert one.answered == [200, 200, 200]
    for size in (3, 303, 310):
        assert await signed_by(world, size) == (size, ["witness.example/one"])


async def test_a_witness_that_signed_what_nobody_kept_says_from_where_it_wants_to_be_asked(
    world: World, one: Witness
) -> None:
    await begin(world, one)
    await cosigned(world, one)
    one.instead = lambda seen: (one.judge(seen.body.decode()), Answer(503))[1]
    await turn(world, 2)
    assert await signed_by(world) == (5, [])
    one.instead = None
    await turn(world)
    assert one.seen[1:] == [(3, 5), (3, 5), (5, 5)]
    assert one.answered[-2:] == [409, 200]
    await cosigned(world, one)


async def test_a_witness_that_never_answers_stops_neither_the_signer_nor_another_witness(
    world: World, one: Witness, two: Witness
) -> None:
    await begin(world, one, two)
    await cosigned(world, one)
    await cosigned(world, two)
    one.instead = lambda seen: None
    await sign(world, 2)
    hanging = asyncio.create_task(world.parts.proof.witnesses.round())
    try:
        await cosigned(world, two)
        await sign(world, 4)
        assert await signed_by(world) == (9, [])
        assert not hanging.done()
    finally:
        hanging.cancel()
        with suppress(asyncio.CancelledError):
            await hanging
    one.instead = None
    await turn(world)
    assert {*(await signed_by(world))[1]} == {"witness.example/one", "witness.example/two"}


async def test_a_witness_that_is_away_is_asked_again_with_the_next_round(
    world: World, one: Witness, caplog: pytest.LogCaptureFixture
) -> None:
    await begin(world, one)
    await cosigned(world, one)
    await one.__aexit__(None, None, None)
    for _ in range(3):
        await turn(world, 1)
    assert await signed_by(world) == (6, [])
    assert said(caplog, "does not answer") == 1, "once an hour"
    await one.__aenter__()
    await turn(world)
    assert await signed_by(world) == (6, ["witness.example/one"])
    assert one.seen == [(0, 3), (3, 6)]


def of_another_key(seen: Seen, _: Witness) -> Said:
    """Another witness of the same name."""
    note = seen.body.decode().partition("\n\n")[2]
    other = Witness("witness.example/one", seed=9)
    return Answer(200, other.line(split_note(note)[0]).encode())


def of_another_tree(seen: Seen, one: Witness) -> Said:
    return Answer(200, one.line("troth/trail_x\n1\n" + "A" * 43 + "=\n").encode())


def of_a_witness_that_does_not_know_what_it_wants(seen: Seen, _: Witness) -> Said:
    size = b"0\n" if seen.body.startswith(b"old 2") else b"2\n"
    return Answer(409, size, {"content-type": "text/x.tlog.size"})


def of_a_flipped_bit(seen: Seen, one: Witness) -> Said:
    body = one.judge(seen.body.decode()).body.decode()
    return Answer(200, body.replace("=\n", "").encode()[:-3] + b"AAA=\n")


@pytest.mark.parametrize(
    "lie",
    [
        of_another_key, of_another_tree, of_a_flipped_bit, lambda *_: Answer(200, b""),
        lambda *_: Answer(200, b"\xff\n"), lambda *_: Answer(409, b"5\n"),
        lambda *_: Answer(409, b"2\n", {"content-type": "text/x.tlog.size"}), lambda *_: 403,
        lambda *_: Answer(302, b"", {"location": "/log/add-checkpoint"}), lambda *_: 400,
        lambda *_: Answer(200, b"x" * 100_000), of_a_witness_that_does_not_know_what_it_wants,
    ],
)  # fmt: skip
async def test_an_answer_that_is_no_signature_of_the_configured_key_is_not_kept(
    world: World, one: Witness, lie: Callable[[Seen, Witness], Said],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    await begin(world, one)
    await cosigned(world, one)
    one.instead = lambda seen: lie(seen, one)
    await turn(world, 2)
    assert 1 < len(one.answered) < 4
    assert [r.message for r in caplog.records if r.message in MEANS.values()], "it is logged"
    assert await signed_by(world) == (5, [])
    assert await rows(world, "select size from cosignatures") == [(3,)]
    one.instead, one.trees = None, {}
    world.now += timedelta(minutes=6)
    await turn(world)
    assert await signed_by(world) == (5, ["witness.example/one"])


async def test_an_origin_that_is_unknown_is_patience_and_said_once_an_hour(
    world: World, one: Witness, caplog: pytest.LogCaptureFixture
) -> None:
    origin = await begin(world, one, known=False)
    for _ in range(4):
        await turn(world, 1)
        world.now += timedelta(minutes=6)
    assert {*one.answered} == {404}
    assert said(caplog, "does not know the origin") == 1
    shown = await keys(world)
    assert (shown[1]["behind"], shown[1]["cosigned_at"]) == (1, None)
    one.knows(world.parts.proof.signer.verifier, origin)
    await turn(world)
    assert await signed_by(world) == (7, ["witness.example/one"])
    assert [(k["behind"], k["cosigned_at"] is not None) for k in (await keys(world))[1:]] == [
        (0, True)
    ]


async def test_a_witness_that_is_named_wrongly_refuses_the_start(
    world: World, one: Witness
) -> None:
    wrong = one.setting.replace("+", "-", 1)
    world.settings = world.settings.model_copy(update={"audit_witnesses": wrong})
    with pytest.raises(SystemExit, match=r"TROTH_AUDIT_WITNESSES: witness\.example/one-"):
        world.build()


async def keys(world: World, permission: str = "instance") -> list[dict[str, Any]]:
    return (await world.ask(FindVerifierKeys(), permission=permission))["data"]


async def test_anybody_gets_the_keys_of_the_witnesses_and_only_the_operator_more(
    world: World, one: Witness, two: Witness
) -> None:
    await begin(world, one, two)
    shown = await keys(world, "audit:read")
    signer = str(world.parts.proof.signer.verifier)
    assert (shown[0]["of"], shown[0]["verifier_key"]) == ("signer", signer)
    assert {k["verifier_key"] for k in shown[1:]} == {one.key, two.key}
    assert [(k["behind"], k["cosigned_at"]) for k in shown] == [(None, None)] * 3
