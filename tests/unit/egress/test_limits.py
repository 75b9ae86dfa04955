"""Bytes and time are capped, whatever the other side sends."""

import asyncio
import gzip
import tracemalloc
import zlib

import pytest

from libs.egress import Client, EgressFailed, Policy

KIB = 1024
TEXT = b"the same words again and again " * 100


@pytest.fixture
def fetch(listener):
    async def request(method: str = "GET", **options):
        async with Client(Policy([f"127.0.0.1:{listener.port}"])) as client:
            return await client.request(method, f"http://127.0.0.1:{listener.port}/", **options)

    return request


async def endless(request: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"x" * 64 * KIB)
        await writer.drain()


async def test_a_body_of_exactly_the_limit_is_read(listener, answer, fetch):
    listener.answers = [answer(body=b"x" * 256 * KIB)]

    assert len((await fetch()).body) == 256 * KIB


async def test_a_body_one_byte_over_the_limit_fails(listener, answer, fetch):
    listener.answers = [answer(body=b"x" * (256 * KIB + 1))]

    with pytest.raises(EgressFailed, match="over 262144 bytes") as failure:
        await fetch()
    assert failure.value.kind == "too-large"


async def test_a_body_without_end_is_not_read_on(listener, fetch):
    listener.answers = [endless]

    with pytest.raises(EgressFailed) as failure:
        await fetch(max_bytes=100 * KIB)
    assert failure.value.kind == "too-large"


async def test_the_limit_is_the_callers_to_set(listener, answer, fetch):
    listener.answers = [answer(body=b"x" * 300 * KIB)]

    assert len((await fetch(max_bytes=300 * KIB)).body) == 300 * KIB


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_small_body_that_unfolds_to_a_huge_one_fails(encoding, listener, answer, fetch):
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    bomb = pack(b"\0" * 64 * KIB * KIB)
    assert len(bomb) < 256 * KIB
    listener.answers = [answer(body=bomb, headers=[f"Content-Encoding: {encoding}"])]
    del pack

    tracemalloc.start()
    with pytest.raises(EgressFailed) as failure:
        await fetch()
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert failure.value.kind == "too-large"
    assert peak_bytes < 8 * KIB * KIB


async def test_a_long_body_that_unfolds_to_nothing_fails(listener, answer, fetch):
    nothing = gzip.compress(b"") * 20_000
    assert len(nothing) > 260 * KIB
    listener.answers = [answer(body=nothing, headers=["Content-Encoding: gzip"])]

    with pytest.raises(EgressFailed) as failure:
        await fetch()
    assert failure.value.kind == "too-large"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("X-GZip", gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:])),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", zlib.compress(TEXT, wbits=-15)),
        ("identity", TEXT),
    ],
    ids=["gzip", "gzip-in-two-members", "deflate", "deflate-without-wrapper", "identity"],
)
async def test_a_compressed_body_is_unfolded(encoding, body, listener, answer, fetch):
    listener.answers = [answer(body=body, headers=[f"Content-Encoding: {encoding}"])]

    assert (await fetch()).body == TEXT


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b"not gzip at all"),
        ("gzip", gzip.compress(TEXT)[:-9]),
        ("br", b"x"),
        ("gzip, gzip", gzip.compress(gzip.compress(TEXT))),
        ("deflate", b"\xff\xff\xff"),
    ],
    ids=["not-gzip", "cut-off", "not-asked-for", "twice", "not-deflate"],
)
async def test_a_body_that_cannot_be_unfolded_fails(encoding, body, listener, answer, fetch):
    listener.answers = [answer(body=body, headers=[f"Content-Encoding: {encoding}"])]

    with pytest.raises(EgressFailed) as failure:
        await fetch()
    assert failure.value.kind == "protocol"


async def test_the_answer_to_head_has_no_body_to_unfold(listener, fetch):
    listener.answers = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\nContent-Encoding: gzip\r\n\r\n"
    ]

    assert (await fetch("HEAD")).body == b""


async def silent(request: bytes, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def drop_by_drop(request: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"x")
        await asyncio.sleep(0.02)


async def header_by_header(request: bytes, writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("behaviour", [silent, drop_by_drop, header_by_header])
async def test_an_answer_that_never_ends_times_out_as_a_whole(behaviour, listener, fetch):
    listener.answers = [behaviour]

    with pytest.raises(EgressFailed) as failure:
        async with asyncio.timeout(20):
            await fetch(timeout_s=0.3)
    assert failure.value.kind == "timeout"


async def test_redirects_share_the_time_of_the_call(listener, fetch):
    async def slow_redirect(request: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.15)
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")

    listener.answers = [slow_redirect]

    with pytest.raises(EgressFailed) as failure:
        await fetch(timeout_s=0.4)
    assert failure.value.kind == "timeout"


async def test_a_name_server_that_hangs_times_out(listener):
    async def hang(host: str, port: int) -> list[str]:
        await asyncio.sleep(3600)
        return []

    async with Client(Policy(), resolve=hang) as client:
        with pytest.raises(EgressFailed) as failure:
            await client.request("GET", "http://slow.example/", connect_timeout_s=0.2)

    assert failure.value.kind == "timeout"


async def test_a_cancelled_request_leaves_the_client_usable(listener, answer):
    listener.answers = [silent, answer()]

    async with Client(Policy([f"127.0.0.1:{listener.port}"])) as client:
        url = f"http://127.0.0.1:{listener.port}/"
        cut = asyncio.create_task(client.request("GET", url))
        async with asyncio.timeout(10):
            await listener.asked.wait()
        cut.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cut
        response = await client.request("GET", url)

    assert response.status == 200
