"""Event subscriptions and their deliveries."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from libs.common.lists import Page
from services.gateway.access import SubscriptionManager, SubscriptionReader
from services.gateway.bodies import MERGE, BodyOf
from services.gateway.parameters import Parameters
from services.gateway.routing import Routes
from services.subscriptions.contract import (
    ChangeSubscription,
    CreateSubscription,
    DeleteSubscription,
    DeliveryShown,
    EnableSubscription,
    FindDeliveries,
    FindSubscription,
    FindSubscriptions,
    ResendDelivery,
    RotateSecret,
    SubscriptionPatch,
    SubscriptionShown,
    TestSubscription,
)

routes = Routes("event-subscriptions")
PATH = "/v1/event-subscriptions/{subscription}"


@routes.get("/v1/event-subscriptions", Page[SubscriptionShown])
async def find_subscriptions(
    call: SubscriptionReader,
    given: Annotated[dict[str, Any], Depends(Parameters(FindSubscriptions))],
) -> Response:
    """The organization's event subscriptions."""
    return await call.listed(FindSubscriptions, given)


@routes.post("/v1/event-subscriptions", SubscriptionShown, status=201,
             refuses=("url-not-allowed", "limit-reached"))  # fmt: skip
async def create_subscription(
    call: SubscriptionManager,
    body: Annotated[dict[str, Any], Depends(BodyOf(CreateSubscription))],
) -> Response:
    """Be told of events by signed webhooks. `signing_secret` is shown now and never again."""
    return await call.carry_out(
        CreateSubscription, location=lambda made: f"/v1/event-subscriptions/{made['id']}", **body
    )


@routes.get(PATH, SubscriptionShown, versioned=True)
async def find_subscription(call: SubscriptionReader, subscription: str) -> Response:
    """One subscription."""
    return await call.show(FindSubscription, {"subscription": subscription})


@routes.patch(PATH, SubscriptionShown, matches=True, refuses=("url-not-allowed",))
async def change_subscription(
    call: SubscriptionManager, subscription: str,
    body: Annotated[dict[str, Any], Depends(BodyOf(SubscriptionPatch, media=MERGE))],
) -> Response:  # fmt: skip
    """Change it by a JSON Merge Patch (`If-Match`)."""
    return await call.carry_out(ChangeSubscription, {"subscription": subscription}, patch=body)


@routes.delete(PATH, matches=True)
async def delete_subscription(call: SubscriptionManager, subscription: str) -> Response:
    """Delete it (`If-Match`); what waits for it is not delivered any more."""
    return await call.carry_out(DeleteSubscription, {"subscription": subscription})


@routes.post(f"{PATH}/test", SubscriptionShown, refuses=("subscription-disabled",))
async def test_subscription(call: SubscriptionManager, subscription: str) -> Response:
    """Send it a `subscriptions.event.test-sent`."""
    return await call.carry_out(TestSubscription, {"subscription": subscription})


@routes.post(f"{PATH}/enable", SubscriptionShown)
async def enable_subscription(call: SubscriptionManager, subscription: str) -> Response:
    """After it was disabled, because nothing arrived for a day."""
    return await call.carry_out(EnableSubscription, {"subscription": subscription})


@routes.post(f"{PATH}/rotate-secret", SubscriptionShown)
async def rotate_secret(call: SubscriptionManager, subscription: str) -> Response:
    """A new signing secret, shown once; the old one signs too for a day."""
    return await call.carry_out(RotateSecret, {"subscription": subscription})


DELIVERIES = Parameters(FindDeliveries, without=["subscription"])


@routes.get(f"{PATH}/deliveries", Page[DeliveryShown])
async def find_deliveries(
    call: SubscriptionReader, subscription: str,
    given: Annotated[dict[str, Any], Depends(DELIVERIES)],
) -> Response:  # fmt: skip
    """What was sent to it: attempts, status, times."""
    return await call.listed(FindDeliveries, given, {"subscription": subscription})


@routes.post("/v1/deliveries/{delivery}/resend", DeliveryShown, refuses=("subscription-disabled",))
async def resend_delivery(call: SubscriptionManager, delivery: str) -> Response:
    """Send an event again, with the same `webhook-id`, out of order."""
    return await call.carry_out(ResendDelivery, {"delivery": delivery})
