"""The feed as a stream: what the door asks whenever it was told that the feed grew."""

from typing import Annotated

from pydantic import Field

from libs.common.fields import PublicSubject
from libs.common.following import Follow, Stretch
from services.subscriptions.contract.events import TypePattern
from services.subscriptions.contract.shown import EventShown

FED = "subscriptions.relay.fed"
"""Said on the bus after a commit: the organizations whose feeds grew, with blanks between."""


class FollowEvents(
    Follow,
    type="subscriptions.query.follow-events",
    permission="events:read",
    answers=Stretch[EventShown],
):
    """Events by their number in the organization's feed; without `after` from now on.

    A type may end with `*`. `reset` when the feed does not hold all that came after the number.
    """

    event_type: Annotated[list[TypePattern] | None, Field(max_length=20)] = None
    subject: Annotated[list[PublicSubject] | None, Field(max_length=20)] = None
