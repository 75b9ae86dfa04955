"""Bodies of hooks that are no values become files: sealed pieces, and what stands for them."""

import os
from typing import Any

import pytest

from libs.common.chunks import PIECE_BYTES, open_piece
from libs.common.messages import Meta
from libs.common.privacy import DataKey
from libs.common.testing import eventually
from services.executor.contract import (
    FilesFull,
    FileShown,
    PieceStored,
    RecordCall,
    StoreFile,
    StorePiece,
    file_stream,
)
from services.executor.work import Start
from services.gateway.hook_bodies import PARTS_MAX
from services.workflows.contract import FindHook, HookFound

ORG = "org_1"
PDF = os.urandom(2 * PIECE_BYTES + 17)


def key() -> DataKey:
    kid = f"{ORG}-executions"
    return DataKey(ORG, "executions", kid, kid.encode().ljust(32, b"x"))


def payload(start: Start) -> Any:
    return key().open(start.payload, f"call-{ORG}-{start.call}")


def hook(**changed: Any) -> HookFound:
    found = {
        "path": "orders", "reason": None, "workflow_id": "wf_1", "workflow_version": 1,
        "enabled": True, "scheme": "none", "respond": "accepted", "timeout_s": 10.0,
    }  # fmt: skip
    return HookFound.model_validate(found | changed)


def shown(said: StoreFile, meta: Meta) -> FileShown:
    value = {"$file": said.file, "media_type": said.media_type, "size_bytes": said.size_bytes}
    return FileShown.model_validate(
        {"id": said.file, "media_type": said.media_type, "size_bytes": said.size_bytes,
         "stored_at": "2026-11-22T12:00:00Z", "value": value}
    )  # fmt: skip


@pytest.fixture
def listening(world: Any) -> Any:
    world.on(FindHook, lambda m, meta: hook())
    world.on(StorePiece, lambda m, meta: PieceStored())
    world.on(StoreFile, shown)
    return world


def content(world: Any, said: StoreFile) -> bytes:
    """What the pieces of a file hold, opened."""
    pieces = [p for p in world.heard(StorePiece) if p.upload == said.upload]
    stream = file_stream(ORG, said.upload)
    assert [p.number for p in pieces] == list(range(said.pieces))
    return b"".join(open_piece(key(), stream, p.number, p.body) for p in pieces)


async def test_a_body_of_another_type_is_a_file_and_the_workflow_gets_what_stands_for_it(
    listening: Any,
) -> None:
    headers = {"Content-Type": "Application/PDF; charset=x"}
    answer = await listening.http.post("/hooks/acme/orders", content=PDF, headers=headers)

    assert answer.status_code == 202
    (said,) = listening.heard(StoreFile)
    assert payload(listening.started[0])["body"] == {
        "$file": said.file, "media_type": "application/pdf", "size_bytes": len(PDF),
    }  # fmt: skip
    assert content(listening, said) == PDF
    (meta,) = listening.metas(StoreFile)
    assert (meta.organization, meta.actor) == (ORG, "system:webhook")
    assert meta.request_id == answer.headers["troth-request-id"]


async def test_a_table_as_text_is_a_file_and_nothing_of_it_is_on_the_bus_in_the_clear(
    listening: Any,
) -> None:
    table = b"name,e-mail\nAda Lovelace,ada@example.com\n"
    answer = await listening.http.post(
        "/hooks/acme/orders", content=table, headers={"Content-Type": "text/csv"}
    )

    assert answer.status_code == 202
    assert content(listening, listening.heard(StoreFile)[0]) == table
    said = [message.model_dump_json() for message, _ in listening.asked]
    assert not [one for one in said if "Ada" in one or "ada@" in one]


async def test_a_form_in_parts_becomes_texts_and_files_by_name(listening: Any) -> None:
    # a content that looks like line ends and dashes has to come through as it is
    odd = b"\r\n--not the boundary\r\n\n\r\x00\xff--"
    answer = await listening.http.post(
        "/hooks/acme/orders", data={"note": "grün", "empty": ""},
        files={"doc": ("Ada's invoice.pdf", odd, "application/pdf"), "raw": ("x", PDF, "a b")},
    )  # fmt: skip

    assert answer.status_code == 202
    doc, other = listening.heard(StoreFile)
    body = payload(listening.started[0])["body"]
    assert (body["note"], body["empty"]) == ("grün", "")
    assert body["doc"] == {
        "$file": doc.file, "media_type": "application/pdf", "size_bytes": len(odd),
    }  # fmt: skip
    assert (content(listening, doc), content(listening, other)) == (odd, PDF)
    assert other.media_type == "application/octet-stream"


@pytest.mark.parametrize("body", [
    b"", b"--b", b"x\r\n--b--", b"--b\r\n\r\n\r\nx\r\n--b--",
    b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n',
    b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--b--',
    b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 2 + b"--b--",
    b"".join(b'--b\r\nContent-Disposition: form-data; name="%d"\r\n\r\n1\r\n' % n
             for n in range(PARTS_MAX + 1)) + b"--b--",
])  # fmt: skip
async def test_a_form_in_parts_that_is_none_starts_nothing(listening: Any, body: bytes) -> None:
    answer = await listening.http.post(
        "/hooks/acme/orders", content=body,
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )  # fmt: skip

    assert (answer.status_code, listening.started) == (400, [])
    assert listening.heard(StorePiece) == []


async def test_of_a_call_that_is_not_signed_nothing_is_stored(listening: Any) -> None:
    listening.on(FindHook, lambda m, meta: hook(scheme=None))
    answer = await listening.http.post(
        "/hooks/acme/orders", content=PDF, headers={"Content-Type": "application/pdf"}
    )

    assert answer.json()["code"] == "signature-invalid"
    assert listening.heard(StorePiece) == []


async def test_where_there_is_no_place_for_the_file_the_call_is_refused_and_in_the_ledger(
    listening: Any,
) -> None:
    def full(said: StorePiece, meta: Meta) -> PieceStored:
        raise FilesFull("full", limit_bytes=7)

    listening.on(StorePiece, full)
    answer = await listening.http.post(
        "/hooks/acme/orders", content=PDF, headers={"Content-Type": "application/pdf"}
    )

    assert (answer.status_code, answer.json()["code"]) == (409, "files-full")
    assert listening.started == []

    async def told() -> list[RecordCall]:
        return listening.heard(RecordCall)

    (call,) = await eventually(told, bool)
    assert (call.reason, call.body, call.bytes) == ("files-full", None, len(PDF))
