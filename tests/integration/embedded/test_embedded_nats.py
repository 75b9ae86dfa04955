"""The embedded NATS server: streams stay, services are held to their subjects, files are closed."""

import asyncio
import os
import signal
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import nats
import nats.errors
import pytest
from nats.aio.msg import Msg
from nats.js.errors import APIError

from libs.embedded.children import CannotStart
from libs.embedded.folder import free_port
from libs.embedded.nats import Nats, NatsUser
from libs.embedded.testing import EVERYTHING, temporary_nats

SERVICES = (
    NatsUser(
        "workflows",
        "one",
        publish=("workflows.>", "identity.query.>"),
        subscribe=("_INBOX_workflows.>", "workflows.>"),
        allow_responses=True,
    ),
    NatsUser("identity", "two", subscribe=("identity.>",), allow_responses=True),
    NatsUser("silent", "three", subscribe=("workflows.>",)),
    NatsUser("deaf", "four", publish=("workflows.>",)),
)


class Guest:
    """A connection of one user that remembers what the server refused."""

    def __init__(self, server: Nats, user: str) -> None:
        self._url, self._user = server.url(user), user
        self.refused: list[str] = []

    async def __aenter__(self) -> "Guest":
        async def refused(error: Exception) -> None:
            self.refused.append(str(error))

        self.client = await nats.connect(
            self._url, inbox_prefix=f"_INBOX_{self._user}".encode(), error_cb=refused
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()

    async def settle(self) -> None:
        """Let pending writes go first, then wait until the server has read them all."""
        for _ in range(2):
            await asyncio.sleep(0)
            await self.client.flush()


@pytest.fixture
def server() -> Iterator[Nats]:
    with temporary_nats(SERVICES) as running:
        yield running


async def test_a_service_publishes_to_its_own_subjects_and_to_no_others(server: Nats) -> None:
    async with Guest(server, "silent") as listener, Guest(server, "workflows") as service:
        heard = await listener.client.subscribe("workflows.event.>")
        await listener.settle()
        await service.client.publish("identity.event.member-added", b"forged")
        await service.settle()
        assert any("identity.event.member-added" in text.lower() for text in service.refused)
        await service.client.publish("workflows.event.published", b"true")
        assert (await heard.next_msg(timeout=10)).data == b"true"


async def test_a_service_does_not_hear_foreign_subjects(server: Nats) -> None:
    async with Guest(server, "workflows") as service:
        await service.client.subscribe("identity.>")
        await service.client.subscribe("_INBOX_identity.>")
        await service.settle()
        assert len(service.refused) == 2


async def test_an_empty_list_of_subjects_allows_none(server: Nats) -> None:
    async with Guest(server, "silent") as silent, Guest(server, "deaf") as deaf:
        await silent.client.publish("workflows.event.published", b"")
        await deaf.client.subscribe("workflows.>")
        await silent.settle()
        await deaf.settle()
        assert len(silent.refused) == 1
        assert len(deaf.refused) == 1


async def test_a_responder_may_answer_what_it_was_asked_and_say_no_more(server: Nats) -> None:
    async with Guest(server, "identity") as responder, Guest(server, "workflows") as asking:
        reply_to: list[str] = []

        async def answer(message: Msg) -> None:
            reply_to.append(message.reply)
            await message.respond(b"yes")

        await responder.client.subscribe("identity.query.may", cb=answer)
        await responder.settle()
        assert (await asking.client.request("identity.query.may", b"", timeout=10)).data == b"yes"
        await responder.client.publish(reply_to[0], b"once more")
        await responder.settle()
        assert len(responder.refused) == 1


async def test_a_wrong_password_and_an_unknown_user_are_refused(server: Nats) -> None:
    for who in ("workflows:wrong@", "nobody:one@", ""):
        with pytest.raises((nats.errors.Error, OSError)):
            await nats.connect(
                f"nats://{who}127.0.0.1:{server.port}",
                allow_reconnect=False,
                max_reconnect_attempts=0,
                error_cb=swallow,
            )


async def swallow(_: Exception) -> None:
    """nats-py prints what nobody takes."""


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_streams_and_messages_are_there_after_a_restart(tmp_path: Path, how: str) -> None:
    server = Nats(tmp_path / "nats", free_port(), free_port(), (EVERYTHING,))

    async def put() -> None:
        client = await nats.connect(server.url("test"))
        await client.jetstream().add_stream(name="KEPT", subjects=["kept.>"])
        await client.jetstream().publish("kept.one", b"value")
        await client.close()

    async def get() -> bytes | None:
        client = await nats.connect(server.url("test"))
        message = await client.jetstream().get_last_msg("KEPT", "kept.one")
        await client.close()
        return message.data

    try:
        server.start()
        asyncio.run(put())
        if how == "kill":
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            deadline = time.monotonic() + 20
            while server.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.005)
        else:
            server.stop()
        server.start()
        assert asyncio.run(get()) == b"value"
    finally:
        server.stop()


async def test_a_message_over_the_limit_is_refused() -> None:
    with temporary_nats() as server:
        client = await nats.connect(server.url("test"))
        assert client.max_payload == 4_194_304
        with pytest.raises(nats.errors.MaxPayloadError):
            await client.publish("large", bytes(4_194_305))
        await client.close()


async def test_acknowledgements_keep_the_form_that_the_client_reads() -> None:
    with temporary_nats() as server:
        client = await nats.connect(server.url("test"))
        stream = client.jetstream()
        await stream.add_stream(name="WORK", subjects=["work.>"])
        await stream.publish("work.one", b"")
        pulled = await stream.pull_subscribe("work.>", durable="executor")
        [message] = await pulled.fetch(1, timeout=10)
        assert message.reply.startswith("$JS.ACK.WORK.executor.")
        await client.close()


async def test_no_writer_may_wipe_a_stream_that_does_not_allow_it() -> None:
    with temporary_nats() as server:
        client = await nats.connect(server.url("test"))
        stream = client.jetstream()
        await stream.add_stream(name="EVENTS", subjects=["events.>"])
        with pytest.raises(APIError):
            await stream.publish("events.timer", b"", headers={"Nats-Rollup": "all"})
        await client.close()


def test_configuration_and_store_are_closed_to_others(server: Nats) -> None:
    assert stat.S_IMODE((server.data_dir / "nats.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((server.data_dir / "store").stat().st_mode) == 0o700
    assert stat.S_IMODE(server.data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE(server.log.stat().st_mode) == 0o600


def test_passwords_are_not_seen_in_the_process_list_nor_in_the_log(server: Nats) -> None:
    command = Path(f"/proc/{server.pid}/cmdline").read_text()
    assert "three" not in command
    assert "three" not in server.log.read_text()


@pytest.mark.parametrize("which", ["port", "monitor_port"])
def test_a_taken_port_is_named_and_leaves_nothing_running(tmp_path: Path, which: str) -> None:
    server = Nats(tmp_path / "nats", free_port(), free_port(), (EVERYTHING,))
    with (
        socket.create_server(("127.0.0.1", getattr(server, which))),
        pytest.raises(CannotStart, match=f"{getattr(server, which)}.* is taken"),
    ):
        server.start()
    assert server.pid is None


def test_a_strangers_server_on_the_port_is_not_taken_for_ours(server: Nats, tmp_path: Path) -> None:
    second = Nats(tmp_path / "nats", server.port, free_port(), (EVERYTHING,))
    with pytest.raises(CannotStart, match="is taken"):
        second.start()


def test_a_second_server_on_the_same_store_is_refused(
    server: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.embedded.nats.PREVIOUS_TIMEOUT_S", 0.2)
    second = Nats(server.data_dir, free_port(), free_port(), (EVERYTHING,))
    with pytest.raises(CannotStart, match="another nats-server still runs"):
        second.start()
