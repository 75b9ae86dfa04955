"""`http-request` in a real execution: every kind of inside address is refused, nothing is reached.

One execution goes to all of them in a `for_each`; below the guard every address whatsoever leads to
the receiver, so that with the guard off the same execution reaches it each time.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
from tests_support.engines import Bed, make_bed
from tests_support.inside import BEHIND_A_NAME, WRITTEN_AS_ADDRESS, Everything, lead_to
from tests_support.servers import Servers

from libs.egress import Client, Policy
from services.executor.work import StartAnswer
from tests.fakes.receiver import Answer, Receiver, Seen

GETS = """
troth: 1
name: gets
on:
  - webhook: {path: gets, verify: {scheme: none}, respond: result, timeout: 30s}
steps:
  - id: each
    for_each: ${{ input }}
    as: url
    concurrency: 10
    failures: collect
    steps:
      - id: got
        uses: http-request@1
        with: {url: "${{ url }}"}
        retry: {attempts: 1}
    output: ${{ got.status }}
output: ${{ each }}
"""


@pytest.fixture
async def inside() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def gets(servers: Servers) -> AsyncIterator[Bed]:
    made = await make_bed(servers)
    try:
        await made.publish(GETS)
        yield made
    finally:
        await made.close()


def use(bed: Bed, policy: Policy, names: Mapping[str, Sequence[str]] | None = None) -> None:
    """The executor's client under another policy, with names that resolve as they are told."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        assert names is not None
        return names.get(host, [host])

    engine = bed.executors[0].engine
    engine.client = Client(policy, resolve=resolve if names is not None else None)


def outcomes(said: StartAnswer) -> list[Any]:
    """The status of each call, or why there is none."""
    assert said.output is not None, said
    return [one["value"] if one["ok"] else one["error"]["type"] for one in said.output]


async def refusals(bed: Bed, said: StartAnswer) -> list[tuple[str, str]]:
    """Host and rule of what the execution's log says was refused."""
    log = await bed.executors[0].store.load(f"execution-{bed.org}-{said.execution}")
    found = [one.json() for one in log if one.type == "executor.event.egress-refused"]
    return [(one["host"], one["rule"]) for one in found]


async def test_no_address_that_is_inside_is_reached(
    gets: Bed, inside: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialled = lead_to(inside.port, monkeypatch)
    urls = [f"http://{host}:{inside.port}/" for host in WRITTEN_AS_ADDRESS.values()]
    assert len(urls) >= 30

    said = await gets.call("gets", urls, wait_s=60)

    assert outcomes(said) == ["egress-refused"] * len(urls)
    assert (dialled, inside.connections) == ([], 0)
    refused = await refusals(gets, said)
    assert len(refused) == len(urls)
    assert {rule for _, rule in refused} == {"not-public"}


async def test_with_the_guard_off_each_of_them_is_reached(
    gets: Bed, inside: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead_to(inside.port, monkeypatch)
    hosts = enumerate(WRITTEN_AS_ADDRESS.values())
    urls = [f"http://{host}:{inside.port}/{n}" for n, host in hosts]
    use(gets, Everything())

    said = await gets.call("gets", urls, wait_s=60)

    assert outcomes(said) == [200] * len(urls)
    assert {seen.path for seen in inside.seen} == {f"/{n}" for n in range(len(urls))}


async def test_no_name_that_resolves_inside_is_reached(
    gets: Bed, inside: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialled = lead_to(inside.port, monkeypatch)
    names = {f"{kind}.example": addresses for kind, addresses in BEHIND_A_NAME.items()}
    urls = [f"http://{name}:{inside.port}/" for name in names]
    use(gets, Policy(), names)

    said = await gets.call("gets", urls)

    assert outcomes(said) == ["egress-refused"] * len(names)
    assert (dialled, inside.connections) == ([], 0)
    assert sorted(await refusals(gets, said)) == [(name, "not-public") for name in sorted(names)]


async def test_no_redirect_to_the_inside_is_followed(gets: Bed, inside: Receiver) -> None:
    hosts = list(WRITTEN_AS_ADDRESS.values())

    def elsewhere(seen: Seen) -> Answer:
        host = hosts[int(seen.path[1:])]
        return Answer(302, headers={"location": f"http://{host}:{inside.port}/"})

    async with Receiver(elsewhere) as outside:
        use(gets, Policy([outside.pair]))
        urls: list[Any] = [f"{outside.url}/{n}" for n in range(len(hosts))]

        said = await gets.call("gets", urls, wait_s=60)

        assert outcomes(said) == ["egress-refused"] * len(hosts)
        assert (len(outside.seen), inside.connections) == (len(hosts), 0)

        use(gets, Policy([outside.pair, inside.pair]))
        control = await gets.call("gets", urls[:1])
        assert (outcomes(control), len(inside.seen)) == ([200], 1)
