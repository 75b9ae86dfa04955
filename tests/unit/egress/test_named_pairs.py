"""The operator may name pairs of host and port; nothing else inside is opened by that."""

from collections.abc import Sequence

import pytest

from libs.egress import Client, EgressRefused, Policy


async def to_loopback(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


async def test_a_named_address_and_port_is_reached(listener):
    async with Client(Policy([f"127.0.0.1:{listener.port}"])) as client:
        response = await client.request("GET", f"http://127.0.0.1:{listener.port}/")

    assert (response.status, response.body, listener.connections) == (200, b"ok", 1)


async def test_a_named_host_is_reached_wherever_it_resolves_to(listener):
    policy = Policy([f"Receiver.Internal.:{listener.port}"])

    async with Client(policy, resolve=to_loopback) as client:
        response = await client.request("GET", f"http://receiver.internal:{listener.port}/")

    assert response.status == 200


async def test_a_named_ipv6_address_is_reached(start_listener):
    listener = await start_listener("::1")

    async with Client(Policy([f"[::1]:{listener.port}"])) as client:
        response = await client.request("GET", f"http://[0:0::1]:{listener.port}/")

    assert response.status == 200


async def test_the_same_host_with_another_port_is_refused(listener):
    async with Client(Policy([f"127.0.0.1:{listener.port - 1}"])) as client:
        with pytest.raises(EgressRefused, match="not-public"):
            await client.request("GET", f"http://127.0.0.1:{listener.port}/")

    assert listener.connections == 0


@pytest.mark.parametrize("host", ["localhost", "127.1", "127.0.0.2", "other.internal"])
async def test_another_name_for_a_named_address_is_refused(host, listener):
    policy = Policy([f"127.0.0.1:{listener.port}", f"receiver.internal:{listener.port}"])

    async with Client(policy, resolve=to_loopback) as client:
        with pytest.raises(EgressRefused, match="not-public"):
            await client.request("GET", f"http://{host}:{listener.port}/")

    assert listener.connections == 0


@pytest.mark.parametrize(
    "pair",
    [
        "",
        "receiver.internal",
        ":80",
        "a:0",
        "a:65536",
        "a:http",
        "::1:80",
        "a/b:80",
        "*:80",
        "http://a:80",
        "ada@a:80",
        "[::1]",
        "[a]:80",
        "a..b:80",
    ],
)
async def test_a_setting_that_is_no_pair_stops_the_start(pair):
    with pytest.raises(ValueError, match="egress: "):
        Policy([pair])


@pytest.mark.parametrize("hosts", [["127.0.0.1"], ["other.example", "127.0.0.1."]])
async def test_a_host_on_the_documents_list_is_reached(hosts, listener):
    async with Client(Policy([f"127.0.0.1:{listener.port}"])) as client:
        response = await client.request("GET", f"http://127.0.0.1:{listener.port}/", hosts=hosts)

    assert response.status == 200


@pytest.mark.parametrize("hosts", [[], ["api.example"], ["0.0.1"], ["sub.127.0.0.1.example"]])
async def test_a_host_that_is_not_on_the_documents_list_is_refused(hosts, listener):
    async with Client(Policy([f"127.0.0.1:{listener.port}"])) as client:
        with pytest.raises(EgressRefused, match="host-not-listed"):
            await client.request("GET", f"http://127.0.0.1:{listener.port}/", hosts=hosts)

    assert listener.connections == 0


async def test_the_documents_list_opens_nothing_inside(listener):
    url = f"http://127.0.0.1:{listener.port}/"

    async with Client(Policy()) as client:
        with pytest.raises(EgressRefused, match="not-public"):
            await client.request("GET", url, hosts=["127.0.0.1"])

    assert listener.connections == 0


async def test_a_kept_connection_does_not_serve_a_call_whose_list_forbids_it(listener):
    async with Client(Policy([f"127.0.0.1:{listener.port}"])) as client:
        await client.request("GET", f"http://127.0.0.1:{listener.port}/")
        with pytest.raises(EgressRefused, match="host-not-listed"):
            await client.request("GET", f"http://127.0.0.1:{listener.port}/", hosts=["a.example"])

    assert len(listener.requests) == 1
