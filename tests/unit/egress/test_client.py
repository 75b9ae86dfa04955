"""What goes over the wire, which connections are kept, and how failures are named."""

import asyncio
import socket

import httpcore
import pytest

from libs.egress import Client, EgressFailed, EgressRefused, Policy
from libs.egress.backend import GuardedBackend, SystemResolver


@pytest.fixture
def open_client(listener):
    return lambda: Client(Policy([f"127.0.0.1:{listener.port}"]))


@pytest.fixture
def url(listener):
    return f"http://127.0.0.1:{listener.port}/path?q=1"


async def test_the_request_arrives_as_it_was_given(listener, open_client, url):
    async with open_client() as client:
        headers = {"Content-Type": "application/json", "X-Word": "grün"}
        await client.request("POST", url, headers, b'{"a": 1}')

    head, _, body = listener.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /path?q=1 HTTP/1.1"
    assert f"host: 127.0.0.1:{listener.port}".encode() in map(bytes.lower, lines)
    assert b"content-type: application/json" in lines
    assert "x-word: grün".encode() in lines
    assert body == b'{"a": 1}'


async def test_the_answer_has_lower_case_headers_and_joins_repeated_ones(
    listener, answer, open_client, url
):
    listener.answers = [answer("201 Created", b"made", ["X-One: 1", "Vary: a", "Vary: b"])]

    async with open_client() as client:
        response = await client.request("POST", url)

    assert (response.status, response.body, response.url) == (201, b"made", url)
    assert (response.headers["x-one"], response.headers["vary"]) == ("1", "a, b")


async def test_calls_of_one_client_share_a_connection(listener, open_client, url):
    async with open_client() as client:
        for _ in range(3):
            await client.request("GET", url)

    assert (listener.connections, len(listener.requests)) == (1, 3)


async def test_a_client_never_uses_another_clients_connection(listener, open_client, url):
    async with open_client() as one, Client(Policy()) as other:
        await one.request("GET", url)
        with pytest.raises(EgressRefused, match="not-public"):
            await other.request("GET", url)
        async with open_client() as third:
            await third.request("GET", url)

    assert (listener.connections, len(listener.requests)) == (2, 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "inside.example"),
        ("Content-Length", "5"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "upgrade"),
        ("Upgrade", "websocket"),
        ("Proxy-Authorization", "x"),
        ("X-Line", "a\r\nHost: b"),
        ("X-Nul", "a\x00"),
        ("X-Half-Of-A-Character", chr(0xD800)),
        ("X Space", "a"),
        ("", "a"),
        ("Ä", "a"),
    ],
)
async def test_headers_of_the_connection_and_broken_ones_are_refused(
    name, value, listener, open_client, url
):
    async with open_client() as client:
        with pytest.raises(EgressRefused, match="header"):
            await client.request("GET", url, {name: value})

    assert listener.connections == 0


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "get", "GET / HTTP/1.1\r\n", ""])
async def test_only_known_methods_get_out(method, listener, open_client, url):
    async with open_client() as client:
        with pytest.raises(EgressRefused, match="method"):
            await client.request(method, url)

    assert listener.connections == 0


async def test_nobody_listening_is_a_failed_connection_without_the_address():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, but not listening: refuses connections
        port = held.getsockname()[1]

        async def resolve(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        async with Client(Policy([f"receiver.internal:{port}"]), resolve=resolve) as client:
            with pytest.raises(EgressFailed) as failure:
                await client.request("GET", f"http://receiver.internal:{port}/")

    assert failure.value.kind == "connection"
    assert "127.0.0.1" not in f"{failure.value} {failure.value.__cause__}"


async def test_a_name_without_addresses_is_a_failed_connection():
    async def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    async with Client(Policy(), resolve=unknown) as client:
        with pytest.raises(EgressFailed) as failure:
            await client.request("GET", "http://no-such-name.example/")

    assert failure.value.kind == "connection"


async def test_the_next_address_is_tried_when_the_first_does_not_answer(listener):
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    policy = Policy([f"receiver.internal:{listener.port}"])
    async with Client(policy, resolve=resolve) as client:
        response = await client.request("GET", f"http://receiver.internal:{listener.port}/")

    assert response.status == 200


async def hang_up(request: bytes, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def hang_up_in_mid_answer(request: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
    writer.close()


@pytest.mark.parametrize("behaviour", [hang_up, hang_up_in_mid_answer])
async def test_a_server_that_hangs_up_is_a_failed_connection(behaviour, listener, open_client, url):
    listener.answers = [behaviour]

    async with open_client() as client:
        with pytest.raises(EgressFailed) as failure:
            await client.request("GET", url)

    assert failure.value.kind == "connection"


@pytest.mark.parametrize("garbage", [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
async def test_an_answer_that_is_not_http_is_a_failed_protocol(garbage, listener, open_client, url):
    listener.answers = [garbage]

    async with open_client() as client:
        with pytest.raises(EgressFailed) as failure:
            await client.request("GET", url)

    assert failure.value.kind == "protocol"


async def test_unix_sockets_are_refused():
    backend = GuardedBackend(Policy(), SystemResolver())
    pool = httpcore.AsyncConnectionPool(uds="/run/docker.sock", network_backend=backend)

    with pytest.raises(EgressRefused, match="unix-socket"):
        await pool.request("GET", "http://docker/")
    await pool.aclose()


async def test_headers_are_not_written_into_logs(listener, answer, open_client, url, caplog):
    caplog.set_level("DEBUG")
    listener.answers = [answer(headers=["Set-Cookie: session=s3cret"])]

    async with open_client() as client:
        response = await client.request("GET", url, {"Authorization": "Bearer s3cret"})

    assert response.headers["set-cookie"] == "session=s3cret"
    assert "s3cret" not in caplog.text
