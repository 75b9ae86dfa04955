"""What the system has to say to the caller."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from libs.common.lists import Page
from services.gateway.access import Oneself
from services.gateway.parameters import Parameters
from services.gateway.routing import Routes
from services.identity.contract import FindNotifications, NotificationShown, ReadNotification

routes = Routes("notifications")


@routes.get("/v1/notifications", Page[NotificationShown])
async def find_notifications(
    call: Oneself, given: Annotated[dict[str, Any], Depends(Parameters(FindNotifications))]
) -> Response:
    """My notifications, newest first."""
    return await call.listed(FindNotifications, given)


@routes.post("/v1/notifications/{notification}/read", NotificationShown)
async def read_notification(call: Oneself, notification: str) -> Response:
    """I have read it."""
    return await call.carry_out(ReadNotification, {"notification": notification})
