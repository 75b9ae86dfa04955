"""What the load generator measured arrives whole, and anything but the wanted answer is refused."""

import http.server
import threading
from collections.abc import Iterator

import pytest

from benchmarks import load
from benchmarks.stack import Failed


class Accepting(http.server.BaseHTTPRequestHandler):
    """Accepts every call on kept connections, except those of `/broken`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(500 if self.path == "/broken" else 202)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a test has its own words."""


@pytest.fixture
def address() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Accepting)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def call_of(path: str) -> str:
    return f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"


def test_more_than_a_pipe_holds_arrives_whole(address):
    done = load.run(address, [call_of("/")], 2, 202, count=4500)
    assert done.statuses == {202: 4500}
    assert done.answered == 4500


def test_one_other_answer_makes_the_measurement_worthless(address):
    with pytest.raises(Failed, match="2 × 500"):
        load.run(address, [call_of("/"), call_of("/broken")], 4, 202, count=4)


def test_an_address_where_nobody_listens_is_said():
    with pytest.raises(Failed, match="the load generator failed"):
        load.run("http://127.0.0.1:1", [call_of("/")], 1, 202, count=1)
