"""What the load generator measured arrives whole, and anything but the wanted answer is refused."""

from collections.abc import Iterator

import pytest

from benchmarks import load
from benchmarks.stack import Failed
from tests.fakes.receiver import receiving


@pytest.fixture
def address() -> Iterator[str]:
    """Accepts every call, except those of `/broken`."""
    with receiving(lambda seen: 500 if seen.path == "/broken" else 202) as receiver:
        yield receiver.url


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
