"""How a caller meets the codes of reviews: four eyes on a draft."""

from typing import Any

import httpx

from tests_support.api import Api
from tests_support.meetings import drafted, meets, new
from tests_support.world import World, greeter


def reviewed(world: World) -> tuple[Any, Any]:
    """A draft of the home organization's owner, and the review that was asked for."""
    made = drafted(world.home.owner, greeter(new("reviewed")))
    path = f"/v1/workflows/{made['id']}/reviews"
    return made, world.home.owner.post(path, {"draft_version": 1})


def reviewer(world: World) -> Api:
    return world.member("looks", "builder")


@meets("review-needed")
def _(world: World) -> httpx.Response:
    founder = world.person("careful")
    founder.organization = founder.post("/v1/organizations", {"name": "Careful"})["id"]
    founder.put("/v1/organization/publishing", {"review": True})
    made = drafted(founder, greeter("waits"))
    return founder.ask("POST", f"/v1/workflows/{made['id']}/publish", {"draft_version": 1})


@meets("review-void")
def _(world: World) -> httpx.Response:
    made, review = reviewed(world)
    world.home.owner.post(f"/v1/workflows/{made['id']}/reviews", {"draft_version": 2})
    return reviewer(world).ask("POST", f"/v1/reviews/{review['id']}/approve")


@meets("own-change")
def _(world: World) -> httpx.Response:
    _, review = reviewed(world)
    return world.home.owner.ask("POST", f"/v1/reviews/{review['id']}/approve")


@meets("already-decided")
def _(world: World) -> httpx.Response:
    _, review = reviewed(world)
    bob = reviewer(world)
    bob.post(f"/v1/reviews/{review['id']}/reject", {"comment": "no"})
    return bob.ask("POST", f"/v1/reviews/{review['id']}/approve")
