"""What subscriptions refuses."""

from libs.common.errors import Conflict, Rejected


class UrlNotAllowed(Rejected):
    """One text for closed, filtered and forbidden."""

    code = "url-not-allowed"


class LimitReached(Conflict):
    code = "limit-reached"


class SubscriptionIsDisabled(Conflict):
    """Enable it first."""

    code = "subscription-disabled"
