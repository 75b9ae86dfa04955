"""One installation by `troth up` for all tests of this folder, with a world in it."""

from collections.abc import Iterator

import pytest
from tests_support.stack import Stack
from tests_support.world import World, receiving, settle_in


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two organizations with something of everything in them."""
    with receiving() as receiver:
        stack = Stack(
            tmp_path_factory.mktemp("stack") / "data", [receiver],
            {"TROTH_DELIVERY_SWEEP_S": "0.5"},
        )  # fmt: skip
        try:
            stack.start()
            yield settle_in(stack, receiver)
        finally:
            stack.stop()


@pytest.fixture(scope="module", autouse=True)
def tidy(world: World) -> Iterator[None]:
    """Takes away, after each file, what an organization may have only so many of."""
    yield
    for organization in (world.home, world.other):
        api, kept = organization.owner, set(organization.ids.values())
        for made in api.everything("/v1/event-subscriptions"):
            path = f"/v1/event-subscriptions/{made['id']}"
            if made["id"] not in kept:
                tag = api.ask("GET", path).headers["etag"]
                assert api.ask("DELETE", path, headers={"If-Match": tag}).status_code == 204
        for key in api.everything("/v1/api-keys"):
            if key["id"] not in kept and key["revoked_at"] is None:
                assert api.ask("DELETE", f"/v1/api-keys/{key['id']}").status_code == 204
