"""One installation by `troth up` for all tests of this folder, with a world in it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests_support.kept import Kept
from tests_support.stack import Stack
from tests_support.world import World, echo, settle_in

from tests.fakes.receiver import receiving
from tests.fakes.witness import Witness


@pytest.fixture(scope="session")
def witness() -> Witness:
    """It is away but for the test that needs it."""
    made = Witness("witness.example/api")
    made.instead = lambda seen: 503
    return made


@pytest.fixture(scope="session")
def _kept(tmp_path_factory: pytest.TempPathFactory, witness: Witness) -> Iterator[Kept[World]]:
    @contextmanager
    def made() -> Iterator[World]:
        with receiving(echo) as receiver, receiving(witness.reply) as asked:
            stack = Stack(
                tmp_path_factory.mktemp("stack") / "data", [receiver.pair],
                {
                    "TROTH_DELIVERY_SWEEP_S": "0.5", "TROTH_TEST_BCRYPT_ROUNDS": "4",
                    "TROTH_STREAM_HEARTBEAT_S": "1", "TROTH_RETENTION_EVERY_S": "5",
                    "TROTH_COUNTS_GATHERED_S": "1",
                    "TROTH_AUDIT_WITNESSES": witness.setting_at(asked.url),
                },
            )  # fmt: skip
            try:
                stack.start()
                yield settle_in(stack, receiver.pair)
            finally:
                stack.stop()

    found = Kept(made)
    yield found
    found.end()


@pytest.fixture(scope="module")
def world(_kept: Kept[World], request: pytest.FixtureRequest) -> Iterator[World]:
    """Two organizations with something of everything in them."""
    yield from _kept.for_module(request.node.nodeid)


@pytest.fixture(scope="module", autouse=True)
def tidy(world: World) -> Iterator[None]:
    """Takes away, after each file, what an organization may have only so many of."""
    yield
    for organization in (world.home, world.other):
        api, kept = organization.owner, set(organization.ids.values())
        for things in ("/v1/event-subscriptions", "/v1/audit/siem-streams"):
            for made in api.everything(things):
                path = f"{things}/{made['id']}"
                if made["id"] not in kept:
                    tag = api.ask("GET", path).headers["etag"]
                    assert api.ask("DELETE", path, headers={"If-Match": tag}).status_code == 204
        for key in api.everything("/v1/api-keys"):
            if key["id"] not in kept and key["revoked_at"] is None:
                assert api.ask("DELETE", f"/v1/api-keys/{key['id']}").status_code == 204
