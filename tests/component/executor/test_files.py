"""Files: sent in pieces, referred to by executions, sent on and stored by steps, collected."""

import os
from typing import Any

import psycopg
import pytest
from tests_support.blocks import BASE, World, one_world

from libs.common import clock, ids
from libs.common.chunks import PIECE_BYTES, Cutter, open_piece, seal_piece
from libs.common.errors import Conflict, NotFound
from libs.common.messages import Ask
from libs.common.testing import eventually, swept
from services.executor import file_collector
from services.executor.contract import (
    FileFound,
    FindExecution,
    FindFile,
    FindPiece,
    ForgetExecution,
    PieceFound,
    StoreFile,
    StorePiece,
    file_stream,
)
from tests.fakes.receiver import Answer

LARGE = os.urandom(3 * PIECE_BYTES + 1000)
SEND = f"""
input: {{type: object, properties: {{doc: {{type: object}}}}}}
steps:
  - {{id: send, uses: http-request@1, with: {{method: PUT, url: "{BASE}/put",
     file: "${{{{ input.doc }}}}"}}}}
output: {{size: "${{{{ input.doc.size_bytes }}}}"}}
"""
FETCH = f"""
steps:
  - {{id: fetch, uses: http-request@1, with: {{url: "{BASE}/large", as_file: true}}}}
  - {{id: on, uses: http-request@1, with: {{method: POST, url: "{BASE}/on",
     file: "${{{{ fetch.file }}}}"}}}}
output: {{doc: "${{{{ fetch.file }}}}", text: "${{{{ fetch.text }}}}"}}
"""


@pytest.fixture
async def world(servers: Any) -> Any:
    async with one_world(servers, executors=2) as made:
        yield made


async def ask(world: World, message: Ask, org: str | None = None) -> Any:
    meta = world.bed.meta.model_copy(update={"organization": org or world.bed.org})
    return (await world.bed.bus.ask(message, meta)).value


async def sent(world: World, data: bytes, org: str | None = None) -> Any:
    """As the door does it: sealed pieces, then what they are."""
    org = org or world.bed.org
    key = await world.bed.keys.key(org, "executions")
    cutter, upload = Cutter(1 << 30), ids.new("upl")
    for number, piece in [*cutter.feed(data), *cutter.rest()]:
        body = seal_piece(key, file_stream(org, upload), number, piece)
        await ask(world, StorePiece(upload=upload, number=number, body=body), org)
    return await ask(world, StoreFile(
        upload=upload, file=f"file_{cutter.address(key, 'application/pdf')}",
        media_type="application/pdf", size_bytes=cutter.size, pieces=cutter.count,
    ), org)  # fmt: skip


async def content(world: World, file: str) -> bytes:
    found = FileFound.model_validate(await ask(world, FindFile(file=file)))
    key = await world.bed.keys.key(world.bed.org, "executions")
    stream, whole = file_stream(world.bed.org, found.upload), b""
    for number in range(found.pieces):
        piece = await ask(world, FindPiece(upload=found.upload, number=number))
        body = PieceFound.model_validate(piece).body
        whole += open_piece(key, stream, number, body)
    return whole


def sql(world: World, statement: str) -> list[Any]:
    name, url = world.engine.service.database.name, world.bed.servers.admin_url
    with psycopg.connect(url, dbname=name, autocommit=True) as admin:
        cursor = admin.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def a_day_later(world: World) -> None:
    for table, column in (
        ("files", "touched_at"),
        ("file_pieces", "at"),
        ("file_references", "at"),
    ):
        sql(world, f"update {table} set {column} = {column} - interval '25 hours'")


async def collected(world: World) -> int:
    store = world.engine.calling.files
    assert store is not None
    return (await swept(store.service.database, file_collector.sweeps(store), clock.now()))[-1]


async def started(world: World, value: Any) -> Any:
    await world.publish("w9", SEND)
    return await (await world.bed.send("w9", {"doc": value}, wait_s=60))


async def test_a_file_comes_back_byte_for_byte_and_lies_sealed(world: World) -> None:
    made = await sent(world, LARGE)
    assert (made["size_bytes"], made["value"]["$file"]) == (len(LARGE), made["id"])
    assert await content(world, made["id"]) == LARGE
    text = await sent(world, b"open secret " * 20_000)
    assert sql(world, "select count(*) from file_pieces") == [(6,)]
    assert sql(world, "select 1 from file_pieces where body like '%secret%'") == []
    assert text["id"] != made["id"]


async def test_the_same_content_is_kept_once_and_is_another_file_elsewhere(world: World) -> None:
    first, again = await sent(world, LARGE), await sent(world, LARGE)
    assert first["id"] == again["id"]
    assert sql(world, "select count(*) from file_pieces") == [(4,)]
    other = await sent(world, LARGE, "org_two")
    assert other["id"] != first["id"]
    with pytest.raises(NotFound):
        await ask(world, FindFile(file=first["id"]), "org_two")


async def test_an_upload_with_a_hole_is_no_file(world: World) -> None:
    said = StoreFile(
        upload=ids.new("upl"), file="file_hole", media_type="text/plain", size_bytes=5, pieces=1
    )
    with pytest.raises(Conflict):
        await ask(world, said)
    with pytest.raises(NotFound):
        await ask(world, FindFile(file="file_hole"))


async def test_a_step_sends_a_file_of_the_input(world: World) -> None:
    made = await sent(world, LARGE)
    said = await started(world, made["value"])
    assert (said.outcome, said.output) == ("succeeded", {"size": len(LARGE)}), said
    (request,) = [seen for seen in world.receiver.seen if seen.path == "/put"]
    assert request.body == LARGE
    assert request.headers["content-type"] == "application/pdf"


async def test_a_step_makes_its_answer_a_file_and_the_next_one_sends_it(world: World) -> None:
    world.reply = lambda seen: (
        Answer(body=LARGE, headers={"content-type": "image/png"})
        if seen.path == "/large"
        else Answer()
    )
    said = await world.run(FETCH)
    assert said.outcome == "succeeded", said
    doc = said.output["doc"]
    assert (doc["media_type"], doc["size_bytes"], said.output["text"]) == (
        "image/png", len(LARGE), "",
    )  # fmt: skip
    (request,) = [seen for seen in world.receiver.seen if seen.path == "/on"]
    assert request.body == LARGE
    a_day_later(world)
    assert await collected(world) == 0
    assert await content(world, doc["$file"]) == LARGE


async def test_a_secret_that_comes_back_is_masked_in_a_file_too(world: World) -> None:
    await world.bed.store_secret("token", "s3cret-value-of-the-token")
    world.reply = lambda seen: Answer(body=b"x" * 70_000 + seen.headers["x-token"].encode() + b"y")
    text = f"""
steps:
  - {{id: fetch, uses: http-request@1, with: {{url: "{BASE}/echo", as_file: true,
     headers: {{x-token: "${{{{ secret.token }}}}"}}}}}}
output: {{doc: "${{{{ fetch.file }}}}"}}
"""
    said = await world.run(text)
    assert said.outcome == "succeeded", said
    kept = await content(world, said.output["doc"]["$file"])
    assert kept == b"x" * 70_000 + "•••".encode() + b"y"


async def test_an_input_that_names_no_file_of_ours_is_refused(world: World) -> None:
    foreign = await sent(world, LARGE, "org_two")
    said = await started(world, foreign["value"])
    assert (said.status, said.problem["code"]) == ("refused", "file-missing")


async def test_what_nobody_refers_to_goes_after_a_day(world: World) -> None:
    made = await sent(world, LARGE)
    assert await collected(world) == 0
    a_day_later(world)
    assert await collected(world) == 1
    assert sql(world, "select count(*) from file_pieces") == [(0,)]
    with pytest.raises(NotFound):
        await ask(world, FindFile(file=made["id"]))
    again = await sent(world, LARGE)
    assert await content(world, again["id"]) == LARGE


async def test_what_is_sent_again_meanwhile_stays(world: World) -> None:
    made = await sent(world, LARGE)
    a_day_later(world)
    await sent(world, LARGE)
    assert await collected(world) == 0
    assert await content(world, made["id"]) == LARGE


async def test_an_upload_that_was_broken_off_goes_after_a_day(world: World) -> None:
    await ask(world, StorePiece(upload=ids.new("upl"), number=0, body="v1.k.n.b"))
    await collected(world)
    assert sql(world, "select count(*) from file_pieces") == [(1,)]
    a_day_later(world)
    await collected(world)
    assert sql(world, "select count(*) from file_pieces") == [(0,)]


async def test_a_file_stays_as_long_as_an_execution_refers_to_it(world: World) -> None:
    made = await sent(world, LARGE)
    said = await started(world, made["value"])
    assert said.outcome == "succeeded", said
    a_day_later(world)
    assert await collected(world) == 0
    assert await content(world, made["id"]) == LARGE
    shown = FindExecution(execution_id=said.execution)
    await eventually(lambda: ask(world, shown), lambda found: found["outcome"] == "succeeded")
    await ask(world, ForgetExecution(execution_id=said.execution))
    a_day_later(world)
    assert await collected(world) == 1


async def test_an_organization_keeps_only_so_much(world: World) -> None:
    for executor in world.bed.executors:
        store = executor.engine.calling.files
        assert store is not None
        store._limit_bytes = 4 * PIECE_BYTES
    await sent(world, LARGE)
    with pytest.raises(Conflict) as refused:
        await sent(world, b"one more")
    assert refused.value.code == "files-full"
    await sent(world, b"elsewhere", "org_two")
