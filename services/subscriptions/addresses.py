"""Is a URL one that deliveries may go to? What the URL itself shows; the guard decides again."""

from libs.egress import EgressRefused, Policy, webhooks
from services.subscriptions.contract import UrlNotAllowed


def host_of(url: str, policy: Policy) -> str:
    """Its host in one canonical form; a URL that can't be allowed is refused in one text."""
    try:
        return webhooks.host_of(url, policy)
    except EgressRefused:
        raise UrlNotAllowed("deliveries can't go to this URL") from None
