"""What happened, for customers: the public types and the feed of events."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from libs.common.lists import Page
from services.gateway.access import EventReader, SignedIn
from services.gateway.following import MEDIA, EventStream
from services.gateway.parameters import Parameters
from services.gateway.routing import Routes
from services.subscriptions.contract import (
    FED,
    EventShown,
    EventTypeShown,
    FindEvents,
    FindEventTypes,
    FollowEvents,
)

routes = Routes("events")


@routes.get("/v1/event-types", Page[EventTypeShown])
async def find_event_types(
    call: SignedIn, given: Annotated[dict[str, Any], Depends(Parameters(FindEventTypes))]
) -> Response:
    """The public types of events, each with its schema and an example."""
    return await call.listed(FindEventTypes, given)


@routes.get("/v1/events", Page[EventShown])
async def find_events(
    call: EventReader, given: Annotated[dict[str, Any], Depends(Parameters(FindEvents))]
) -> Response:
    """What happened, as CloudEvents; with `order=asc` the cursor never skips: poll it for ever."""
    return await call.listed(FindEvents, given)


FOLLOWED = Parameters(FollowEvents, without=["limit"])


@routes.get("/v1/events/stream", MEDIA, produces=(MEDIA,), streams=True,
            refuses=("too-many-streams",))  # fmt: skip
async def follow_events(
    call: EventReader, given: Annotated[dict[str, Any], Depends(FOLLOWED)]
) -> Response:
    """What happens from now on, as server-sent events, each a CloudEvent.

    `id` is its number; `Last-Event-ID` goes on behind it without a gap or a repetition. When the
    feed does not go so far back (it keeps seven days), the first event is `reset`, and what
    happens from now on follows. It closes when the permission goes.
    """
    return EventStream(call, FollowEvents, {}, given, FED, call.organization)
