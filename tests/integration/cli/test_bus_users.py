"""The generated users on a real server: nobody speaks for somebody else."""

import asyncio
from collections.abc import Iterator

import nats
import pytest
from nats.js import api

from cli.checks_bus import differences
from cli.external import ask_once, check_nats
from cli.permissions import ABOUT_ITSELF, SERVICES, users
from libs.common.pull import ensure_consumer, ensure_event_stream
from libs.common.testing import arrived
from libs.embedded.children import CannotStart
from libs.embedded.nats import Nats
from libs.embedded.testing import temporary_nats

READERS = {"audit": [("trail_workflows", "workflows")]}
PASSWORDS = {service: f"p-{service}" for service in SERVICES}


@pytest.fixture(scope="module")
def server() -> Iterator[Nats]:
    with temporary_nats(users(READERS, PASSWORDS)) as found:
        yield found


async def connect(server: Nats, service: str):
    refused: asyncio.Queue[str] = asyncio.Queue()

    async def note(error: Exception) -> None:
        refused.put_nowait(str(error).lower())

    client = await nats.connect(
        server.url(service), inbox_prefix=f"_INBOX_{service}".encode(), error_cb=note
    )
    return client, refused


async def refusal(refused: asyncio.Queue[str]) -> str:
    async with asyncio.timeout(10):
        return await refused.get()


@pytest.mark.parametrize(
    "subject",
    [
        "billing.event.batch.0", "billing.relay.head", "executor.work.start", "_INBOX_gateway.x",
        "$JS.API.STREAM.DELETE.AUDIT", "$JS.API.STREAM.PURGE.WORKFLOWS",
        "$JS.API.CONSUMER.DELETE.WORKFLOWS.audit-trail-workflows",
        "$JS.API.CONSUMER.MSG.NEXT.WORKFLOWS.billing-metering",
        "identity.query.find-key.executions.executor", "identity.query.find-key.executions.audit",
        "identity.query.find-key-by-id.content.identity", "identity.query.find-key.audit",
    ],
)  # fmt: skip
async def test_a_service_may_not_speak_for_another_one(server, subject):
    client, refused = await connect(server, "audit")

    await client.publish(subject, b"")

    assert "permissions violation for publish" in await refusal(refused)
    await client.close()


@pytest.mark.parametrize(
    "subject",
    [
        ">", "identity.command.>", "_INBOX_gateway.>", "$JS.API.>",
        "*.event.>", "billing.event.>", "*.relay.head", "executor.relay.signal",
    ],
)  # fmt: skip
async def test_a_service_may_not_listen_to_what_is_for_another_one(server, subject):
    client, refused = await connect(server, "audit")

    await client.subscribe(subject)

    assert "permissions violation for subscription" in await refusal(refused)
    await client.close()


async def test_a_service_reads_another_ones_events_and_answers_questions(server):
    writer, refused_writer = await connect(server, "workflows")
    reader, refused_reader = await connect(server, "audit")
    await ensure_event_stream(writer.jetstream(), "workflows")
    await ensure_consumer(
        reader.jetstream(), "WORKFLOWS", "audit-trail-workflows", api.AckPolicy.ALL, 100
    )
    await writer.jetstream().publish("workflows.event.batch.0", b"[]")

    pull = await reader.jetstream().pull_subscribe_bind("audit-trail-workflows", "WORKFLOWS")
    (message,) = await pull.fetch(1, timeout=10)
    await message.ack_sync()

    async def answer(asked) -> None:
        await asked.respond(b'{"yes": true}')

    await writer.subscribe("workflows.query.ready", cb=answer)
    await arrived(writer)
    said = await reader.request("workflows.query.ready", b"", timeout=10)

    assert (message.data, said.data) == (b"[]", b'{"yes": true}')
    assert await asyncio.to_thread(
        ask_once, server.url("gateway"), "gateway", "p-gateway", "workflows.query.ready"
    ) == {"yes": True}
    assert refused_writer.empty()
    assert refused_reader.empty()
    await writer.close()
    await reader.close()


async def test_a_service_asks_for_the_keys_that_it_was_granted(server):
    identity, _ = await connect(server, "identity")
    audit, refused = await connect(server, "audit")

    async def answer(asked) -> None:
        await asked.respond(asked.subject.encode())

    await identity.subscribe("identity.query.find-key.*.*", cb=answer)
    await arrived(identity)
    said = await audit.request("identity.query.find-key.audit.audit", b"", timeout=10)

    assert said.data == b"identity.query.find-key.audit.audit"
    assert refused.empty()
    await audit.close()
    await identity.close()


@pytest.mark.parametrize("service", SERVICES)
def test_the_server_says_that_a_user_may_what_was_generated_and_nothing_else(server, service):
    (user,) = [one for one in users(READERS, PASSWORDS) if one.name == service]
    url = f"nats://127.0.0.1:{server.port}"

    said = ask_once(url, service, PASSWORDS[service], ABOUT_ITSELF)

    assert said is not None
    assert said["data"]["user"] == service
    assert differences(user, said) == []


def test_a_server_of_ours_passes_the_check_of_external_ones(server):
    assert check_nats(f"nats://127.0.0.1:{server.port}", "gateway", "p-gateway").startswith("2.")


def test_a_server_that_does_not_know_the_users_is_refused_with_the_repair(server):
    with pytest.raises(CannotStart, match="troth nats-users"):
        check_nats(f"nats://127.0.0.1:{server.port}", "gateway", "wrong")


def test_a_server_that_is_not_there_is_said_so():
    with pytest.raises(CannotStart, match="is TROTH_NATS_URL right"):
        check_nats("nats://127.0.0.1:1", "gateway", "x")
