"""Bodies that are never whole in memory: sent piece by piece, and poured elsewhere as they come."""

import gzip
from collections.abc import AsyncIterator

import pytest

from libs.egress import Client, EgressFailed, Policy, Streamed

KIB = 1024


async def pieces() -> AsyncIterator[bytes]:
    for letter in b"abc":
        yield bytes([letter]) * 100


@pytest.fixture
def fetch(listener):
    async def request(method: str = "GET", **options):
        async with Client(Policy([f"127.0.0.1:{listener.port}"])) as client:
            return await client.request(method, f"http://127.0.0.1:{listener.port}/", **options)

    return request


class Bucket:
    def __init__(self) -> None:
        self.came = b""

    async def take(self, piece: bytes) -> None:
        self.came += piece


async def test_a_streamed_body_says_its_length_and_arrives_whole(listener, fetch):
    await fetch("POST", content=Streamed(300, pieces))

    (request,) = listener.requests
    assert b"content-length: 300\r\n" in request.lower()
    assert request.endswith(b"a" * 100 + b"b" * 100 + b"c" * 100)


async def test_a_streamed_body_begins_anew_where_it_is_sent_on(listener, answer, fetch):
    listener.answers = [
        answer("307 Temporary Redirect", headers=["Location: /there"]), answer(body=b"taken"),
    ]  # fmt: skip

    assert (await fetch("POST", content=Streamed(300, pieces))).body == b"taken"

    assert [request[-300:] for request in listener.requests] == [
        b"a" * 100 + b"b" * 100 + b"c" * 100
    ] * 2


async def test_an_answer_is_poured_and_not_kept(listener, answer, fetch):
    bucket, body = Bucket(), b"x" * 300 * KIB
    packed = gzip.compress(body)
    listener.answers = [answer(body=packed, headers=["Content-Encoding: gzip"])]

    response = await fetch(into=bucket.take, max_bytes=300 * KIB)

    assert (response.status, response.body) == (200, b"")
    assert bucket.came == body


async def test_what_is_poured_has_a_limit_too(listener, answer, fetch):
    bucket = Bucket()
    listener.answers = [answer(body=b"x" * (300 * KIB + 1))]

    with pytest.raises(EgressFailed) as failure:
        await fetch(into=bucket.take, max_bytes=300 * KIB)

    assert failure.value.kind == "too-large"
    assert len(bucket.came) <= 300 * KIB


async def test_a_refusal_is_read_and_not_poured(listener, answer, fetch):
    bucket = Bucket()
    listener.answers = [answer("422 Unprocessable Content", body=b"why not")]

    response = await fetch(into=bucket.take)

    assert (response.status, response.body, bucket.came) == (422, b"why not", b"")
