"""One execution as a stream: what the door asks whenever it was told that something happened."""

from libs.common.fields import ExecutionId
from libs.common.following import Follow, Stretch
from services.executor.contract.asks import TimelineEntry

MOVED = "executor.relay.moved"
"""Said on the bus after a commit: the executions that have new events, with blanks between."""


class FollowTimeline(
    Follow,
    type="executor.query.follow-timeline",
    permission="executions:read",
    answers=Stretch[TimelineEntry],
):
    """The timeline behind a place, from its beginning without one; it ends with the execution.

    A place is the version of the event and the number of the entry in it: `7.2`.
    """

    execution_id: ExecutionId
