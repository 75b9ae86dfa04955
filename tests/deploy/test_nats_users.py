"""The users of deploy/nats/nats.conf on a real server: nobody publishes for somebody else."""

import asyncio
import json
import os
import runpy
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import api

from cli.checks_bus import differences
from cli.permissions import ABOUT_ITSELF, users
from libs.common.pull import ensure_consumer
from libs.common.testing import arrived
from libs.embedded.binaries import find_nats
from tools.docs.nats import readers

pytestmark = pytest.mark.deploy

DEPLOY = Path(__file__).parents[2] / "deploy"
MAKE_SECRETS = runpy.run_path(str(DEPLOY / "make_secrets.py"))
SERVICES = MAKE_SECRETS["SERVICES"]


@dataclass
class Server:
    """The server under its real configuration, but for ports and folder."""

    port: int
    passwords: dict[str, str]

    @asynccontextmanager
    async def user(self, name: str) -> AsyncIterator[tuple[Client, asyncio.Queue[str]]]:
        refused: asyncio.Queue[str] = asyncio.Queue()

        async def remember(error: Exception) -> None:
            refused.put_nowait(str(error).lower())

        client = await nats.connect(
            f"nats://127.0.0.1:{self.port}",
            user=name,
            password=self.passwords[f"TROTH_{name.upper()}_NATS_PASSWORD"],
            inbox_prefix=f"_INBOX_{name}".encode(),
            error_cb=remember,
            allow_reconnect=False,
            reconnect_time_wait=0.05,
        )
        try:
            yield client, refused
        finally:
            await client.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def server(tmp_path):
    port, passwords = free_port(), MAKE_SECRETS["make"]("postgres:5432")["nats"]
    text = (DEPLOY / "nats" / "nats.conf").read_text()
    text = text.replace("port: 4222\nhttp_port: 8222", f"listen: 127.0.0.1:{port}")
    text = text.replace("store_dir: /data", f"store_dir: {tmp_path}/data")
    configuration = tmp_path / "nats.conf"
    configuration.write_text(text)
    command = [find_nats().path, "-c", configuration, "-l", tmp_path / "log"]
    process = subprocess.Popen(command, env=os.environ | passwords)
    try:
        yield Server(port, passwords)
    finally:
        process.kill()
        process.wait(10)


async def ready(server: Server) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                async with server.user("migrate") as (client, _):
                    await client.jetstream().account_info()
                    return
            except Exception:  # whatever a server that is still starting gives
                await asyncio.sleep(0.05)


async def migrated(server: Server) -> None:
    await ready(server)
    async with server.user("migrate") as (client, _):
        for service in ("workflows", "audit"):
            await client.jetstream().add_stream(
                api.StreamConfig(name=service.upper(), subjects=[f"{service}.event.>"])
            )


async def violation(refused: asyncio.Queue[str]) -> None:
    """Waits for the server's refusal, which comes beside the answers."""
    async with asyncio.timeout(10):
        assert "permissions violation" in await refused.get()


async def test_every_service_has_a_user_of_its_own(server):
    await ready(server)

    for service in SERVICES:
        async with server.user(service) as (client, refused):
            await client.publish(f"{service}.event.thing-done.org_1", b"")
            await arrived(client)
            assert refused.empty()


async def test_a_service_publishes_its_own_events_and_no_others(server):
    await migrated(server)

    async with server.user("workflows") as (client, refused):
        stored = await client.jetstream().publish("workflows.event.workflow-published.org_1", b"1")
        assert stored.stream == "WORKFLOWS"

        await client.publish("audit.event.thing-done.org_1", b"forged")
        await violation(refused)
        assert (await client.jetstream().stream_info("AUDIT")).state.messages == 0


@pytest.mark.parametrize(
    "action",
    ["STREAM.DELETE.AUDIT", "STREAM.PURGE.AUDIT", "STREAM.UPDATE.AUDIT", "STREAM.CREATE.EXECUTOR"],
)
async def test_no_service_changes_a_stream(action, server):
    await migrated(server)

    async with server.user("executor") as (client, refused):
        await client.publish(f"$JS.API.{action}", b"{}", reply=client.new_inbox())
        await violation(refused)

    async with server.user("migrate") as (client, _):
        assert (await client.jetstream().stream_info("AUDIT")).config.name == "AUDIT"


async def test_a_service_asks_another_and_only_that_one_answers(server):
    await ready(server)

    async def answer(message: Msg) -> None:
        await message.respond(b"ada")

    async with server.user("gateway") as (asking, _), server.user("identity") as (answering, _):
        async with server.user("billing") as (listening, refused):
            await listening.subscribe("identity.query.who-is-this")
            await violation(refused)

        await answering.subscribe("identity.query.who-is-this", cb=answer)
        await arrived(answering)
        said = await asking.request("identity.query.who-is-this", b"", timeout=10)

    assert said.data == b"ada"


async def test_a_service_reads_anothers_events_through_a_consumer(server):
    await migrated(server)

    async with server.user("workflows") as (client, _):
        await client.jetstream().publish("workflows.event.workflow-published.org_1", b"1")
    async with server.user("audit") as (client, refused):
        js, durable = client.jetstream(), "audit-trail-workflows"
        await ensure_consumer(js, "WORKFLOWS", durable, api.AckPolicy.ALL, 100)
        reader = await js.pull_subscribe_bind(durable, "WORKFLOWS")
        (message,) = await reader.fetch(1, timeout=10)
        await message.ack_sync()

    assert message.data == b"1"
    assert refused.empty()


async def test_a_service_asks_for_no_key_that_it_was_not_granted_nor_as_another_one(server):
    await ready(server)

    async with server.user("subscriptions") as (client, refused):
        await client.publish("identity.query.find-key.secrets.subscriptions", b"")
        await arrived(client)
        assert refused.empty()
        for subject in ("find-key.executions.subscriptions", "find-key.executions.executor"):
            await client.publish(f"identity.query.{subject}", b"")
            await violation(refused)


async def test_what_the_running_server_allows_each_user_is_what_was_generated(server):
    await ready(server)

    for one in users(readers(), dict.fromkeys(SERVICES, ""), makes_streams=False):
        async with server.user(one.name) as (client, _):
            said = json.loads((await client.request(ABOUT_ITSELF, b"", timeout=10)).data)
        assert said["data"]["user"] == one.name
        assert differences(one, said) == []


async def test_a_service_makes_no_consumer_but_those_of_its_own_readers(server):
    await migrated(server)

    async with server.user("billing") as (client, refused):
        for verb in ("CREATE", "DURABLE.CREATE"):
            subject = f"$JS.API.CONSUMER.{verb}.WORKFLOWS.billing-curious"
            await client.publish(subject, b"{}", reply=client.new_inbox())
            await violation(refused)
