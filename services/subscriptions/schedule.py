"""What follows from an attempt: delivered, again after a while, or given up. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from libs.egress.webhooks import Attempt
from services.subscriptions.contract import DeliveryOutcome

GONE = 410
RETRY_AFTER_MAX_S = 86_400.0
JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Verdict:
    """`outcome` None means again, after `after_s`; `gone` ends the subscription as well."""

    outcome: DeliveryOutcome | None
    after_s: float = 0.0
    gone: bool = False


def verdict(attempt: Attempt, made: int, retries_s: Sequence[float], luck: float) -> Verdict:
    """`made` counts the attempts so far, this one too; `luck` is between 0 and 1."""
    if attempt.arrived:
        return Verdict("delivered")
    if attempt.status == GONE:
        return Verdict("undelivered", gone=True)
    if made > len(retries_s) or attempt.trouble == "forgotten":
        return Verdict("undelivered")
    wait_s = retries_s[made - 1] * (1 + JITTER * (luck - 0.5))
    asked_s = min(attempt.retry_after_s or 0.0, RETRY_AFTER_MAX_S)
    return Verdict(None, max(wait_s, asked_s))
