"""Every kind of inside address is refused, and a real listener sees no connection at all.

Below the guard all roads lead to the listener, so that with the guard off each of these arrives.
"""

from collections.abc import Sequence

import pytest
from tests_support.inside import BEHIND_A_NAME, WRITTEN_AS_ADDRESS, always

from libs.egress import Client, EgressRefused, Policy

MALFORMED = {
    "fullwidth-digits": "http://１２７.0.0.1/",
    "circled-digits": "http://①②⑦.⓪.⓪.①/",
    "octal-dotted": "http://0177.0.0.1/",
    "percent-encoded": "http://%31%32%37.0.0.1/",
    "scope-id": "http://[fe80::1%25lo]/",
    "scope-id-raw": "http://[::1%lo]/",
    "no-host": "http:///x",
    "empty-label": "http://a..b/",
    "backslash": "http://example.com\\.evil.example/",
    "line-break": "http://example.com/\r\nHost: inside",
    "space": "http://exa mple.com/",
    "port-too-high": "http://example.com:65536/",
    "port-zero": "http://example.com:0/",
    "port-no-number": "http://example.com:http/",
    "label-too-long": f"http://{'a' * 64}.example/",
    "name-too-long": f"http://{'a.' * 130}example/",
    "url-too-long": f"http://example.com/{'a' * 9000}",
}

FORBIDDEN = {
    "file": ("file:///etc/passwd", "scheme"),
    "gopher": ("gopher://127.0.0.1/", "scheme"),
    "ftp": ("ftp://127.0.0.1/", "scheme"),
    "unix": ("http+unix://%2Frun%2Fdocker.sock/", "scheme"),
    "no-scheme": ("//127.0.0.1/", "scheme"),
    "user": ("http://ada@127.0.0.1/", "userinfo"),
    "user-and-password": ("http://ada:secret@example.com/", "userinfo"),
    "two-ats": ("http://example.com@127.0.0.1/", "userinfo"),
    "backslash-before-at": ("http://example.com\\@127.0.0.1/", "userinfo"),
    "port-of-mail": ("http://93.184.215.14:25/", "port"),
}


def each(cases):
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), id=name)
        for name, case in cases.items()
    ]


@pytest.mark.parametrize("host", each(WRITTEN_AS_ADDRESS))
async def test_an_inside_address_is_refused_before_any_connection(
    host, listener, all_roads_lead_to
):
    dialled = all_roads_lead_to(listener)

    async with Client(Policy()) as client:
        with pytest.raises(EgressRefused) as refusal:
            await client.request("GET", f"http://{host}:{listener.port}/")

    assert refusal.value.rule == "not-public"
    assert (dialled, listener.connections) == ([], 0)


@pytest.mark.parametrize("host", each(WRITTEN_AS_ADDRESS))
async def test_with_the_guard_off_the_listener_sees_the_connection(
    host, listener, all_roads_lead_to, guard_off
):
    all_roads_lead_to(listener)

    async with Client(guard_off) as client:
        response = await client.request("GET", f"http://{host}:{listener.port}/")

    assert (response.status, listener.connections) == (200, 1)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0", "localhost", "localhost."]
)
async def test_an_address_of_this_machine_is_refused_on_the_real_network(host, listener):
    async with Client(Policy()) as client:
        with pytest.raises(EgressRefused, match="not-public"):
            await client.request("GET", f"http://{host}:{listener.port}/")

    assert listener.connections == 0


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0", "localhost", "localhost."]
)
async def test_with_the_guard_off_the_real_network_connects(host, listener, guard_off):
    async with Client(guard_off) as client:
        await client.request("GET", f"http://{host}:{listener.port}/")

    assert listener.connections == 1


@pytest.mark.parametrize("addresses", each(BEHIND_A_NAME))
async def test_a_name_with_an_inside_address_is_refused_as_a_whole(
    addresses, listener, all_roads_lead_to
):
    dialled = all_roads_lead_to(listener)

    async with Client(Policy(), resolve=always(addresses)) as client:
        with pytest.raises(EgressRefused) as refusal:
            await client.request("GET", f"http://rogue.example:{listener.port}/")

    assert (refusal.value.host, refusal.value.rule) == ("rogue.example", "not-public")
    assert not any(address in str(refusal.value) for address in addresses)
    assert (dialled, listener.connections) == ([], 0)


async def test_a_name_is_looked_up_once_per_connection_and_judged_each_time(
    listener, all_roads_lead_to, answer
):
    dialled = all_roads_lead_to(listener)
    listener.answers = [answer(headers=["Connection: close"])]
    asked = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["93.184.215.14"] if len(asked) == 1 else ["10.0.0.1"]

    async with Client(judging_only_what_is_asked(), resolve=rebinding) as client:
        await client.request("GET", f"http://rebinding.example:{listener.port}/")
        with pytest.raises(EgressRefused, match="not-public"):
            await client.request("GET", f"http://rebinding.example:{listener.port}/")

    assert asked == ["rebinding.example"] * 2
    assert dialled == ["93.184.215.14"]
    assert listener.connections == 1


@pytest.mark.parametrize("url", each(MALFORMED))
async def test_a_url_that_can_be_read_in_two_ways_is_refused(url, listener, all_roads_lead_to):
    dialled = all_roads_lead_to(listener)

    async with Client(Policy(), resolve=always(["93.184.215.14"])) as client:
        with pytest.raises(EgressRefused) as refusal:
            await client.request("GET", url)

    assert (refusal.value.rule, dialled) == ("url", [])


@pytest.mark.parametrize(("url", "rule"), each(FORBIDDEN))
async def test_only_http_without_user_information_gets_out(url, rule, listener, all_roads_lead_to):
    dialled = all_roads_lead_to(listener)

    async with Client(Policy(), resolve=always(["93.184.215.14"])) as client:
        with pytest.raises(EgressRefused) as refusal:
            await client.request("GET", url)

    assert (refusal.value.rule, dialled) == (rule, [])


@pytest.mark.parametrize(
    "host",
    [
        "93.184.215.14",
        "[2606:2800:21f:cb07:6820:80da:af6b:8b2c]",
        "[64:ff9b::93.184.215.14]",
        "[::ffff:93.184.215.14]",
        "172.32.0.1",
        "100.128.0.1",
        "198.20.0.1",
        "223.255.255.1",
    ],
)
async def test_a_public_address_is_connected_to(host, listener, all_roads_lead_to):
    all_roads_lead_to(listener)

    async with Client(judging_only_what_is_asked()) as client:
        await client.request("GET", f"http://{host}:{listener.port}/")

    assert listener.connections == 1


async def test_the_address_of_the_socket_is_judged_once_more(listener, all_roads_lead_to):
    all_roads_lead_to(listener)  # the system connects elsewhere than it was told to

    async with Client(Policy(), resolve=always(["93.184.215.14"])) as client:
        with pytest.raises(EgressRefused, match="not-public"):
            await client.request("GET", f"http://public.example:{listener.port}/")

    assert listener.requests == []


async def test_the_environment_names_no_proxy(listener, all_roads_lead_to, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{listener.port}")
    dialled = all_roads_lead_to(listener)

    async with Client(judging_only_what_is_asked(), resolve=always(["93.184.215.14"])) as client:
        await client.request("GET", "http://public.example/")

    assert dialled == ["93.184.215.14"]


def judging_only_what_is_asked() -> Policy:
    """The real policy, but without the second look at the socket, which all roads would fail."""

    class Asked(Policy):
        def check(self, host: str, port: int, addresses: Sequence[str]) -> None:
            if list(addresses) != ["127.0.0.1"]:
                super().check(host, port, addresses)

    return Asked()
