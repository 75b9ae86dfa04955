"""The load generator counts what was answered, and by what."""

import asyncio

import pytest
import uvloop

from benchmarks.generator import Done, Job, drive, length_of

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Server:
    """Answers each request (they end in one `.`), in two pieces when `torn`."""

    def __init__(self, answer: bytes = ANSWER, *, torn: bool = False, closes: bool = False) -> None:
        self.answer, self.torn, self.closes = answer, torn, closes
        self.got: list[bytes] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                self.got.append(await reader.readuntil(b"."))
                if self.closes:
                    break
                pieces = [self.answer[:20], self.answer[20:]] if self.torn else [self.answer]
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
        except asyncio.IncompleteReadError:
            pass  # the generator is done
        finally:
            writer.close()


def drive_against(server: Server, **job: object) -> Done:
    async def run() -> Done:
        async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            return await drive(Job("127.0.0.1", port, **job))  # type: ignore[arg-type] - of a test

    return uvloop.run(run())


def test_a_count_is_sent_once_over_all_connections():
    server = Server()
    done = drive_against(server, requests=["a.", "b."], connections=3, count=10)
    assert done.statuses == {200: 10}
    assert done.answered == len(server.got) == 10
    assert set(server.got) == {b"a.", b"b."}
    assert done.ended >= done.began


def test_an_answer_in_two_pieces_is_one_answer():
    done = drive_against(Server(torn=True), requests=["a."], connections=1, count=5)
    assert done.statuses == {200: 5}


def test_other_answers_are_counted_apart():
    refusal = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"
    done = drive_against(Server(refusal), requests=["a."], connections=2, count=4)
    assert done.statuses == {429: 4}


def test_a_connection_that_breaks_counts_as_no_answer():
    done = drive_against(Server(closes=True), requests=["a."], connections=2, count=4)
    assert done.statuses == {0: 2}


def test_bodies_of_one_status_come_back_when_they_are_asked_for():
    assert drive_against(Server(), requests=["a."], connections=2, count=3).bodies == []
    done = drive_against(Server(torn=True), requests=["a."], connections=2, count=3, keeps=200)
    assert done.bodies == ["ok"] * 3


def test_a_load_of_some_time_ends():
    done = drive_against(Server(), requests=["a."], connections=2, seconds=0.05)
    assert done.answered >= 2
    assert done.ended - done.began >= 0.05


def test_the_length_is_found_in_any_case_and_must_be_there():
    assert length_of(b"HTTP/1.1 200 OK\r\nContent-LENGTH: 17\r\nx: y") == 17
    with pytest.raises(ValueError, match="content-length"):
        length_of(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked")
