"""The keys under which the door seals where requests come from.

Part of `services.audit.contract`, where others find it.
"""

from libs.common.fields import Count, SealedSecret
from libs.common.messages import Message, Query


class OriginKeyFound(Message):
    """The key of the origins of one day (days since 1970), wrapped as `origin-<day>`."""

    day: Count
    wrapped: SealedSecret


class OriginKeysFound(Message):
    """Of today and of tomorrow, so that midnight needs nobody to ask in time."""

    keys: list[OriginKeyFound]


class FindOriginKeys(Query, type="audit.query.find-origin-keys", answers=OriginKeysFound):
    """Asked by the gateway alone."""


def origin_kid(day: int) -> str:
    return f"origin-{day}"
