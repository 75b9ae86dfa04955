"""A page of a service's log: what is asked and answered at `<service>.query.log-page`."""

import msgspec

from libs.common.fields import Count
from libs.common.messages import Query, Recorded

PAGE_LIMIT = 500


class LogPage(Query):
    """Events of a log after a number; every service that has a log answers it."""

    after: Count
    limit: Count = PAGE_LIMIT


class Page(msgspec.Struct):
    """What the log holds after that number, and where it ends.

    `expired` are numbers among them, and up to the head where the page has all, whose events have
    left the log when their time was over: they are not missing.
    """

    events: list[Recorded]
    head: int
    incarnation: int
    expired: list[int] = []
