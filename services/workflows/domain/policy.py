"""How an organization publishes: with four eyes, or with two."""

from dataclasses import dataclass
from datetime import datetime

from libs.common.decider import Decider
from libs.common.messages import Event
from services.workflows.contract import PublishingPolicySet


@dataclass(frozen=True, slots=True)
class Policy:
    """`set_at` is None while nobody has set it."""

    review: bool = False
    set_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SetPolicy:
    review: bool
    at: datetime


def decide(command: SetPolicy, state: Policy) -> list[Event]:
    if command.review == state.review and state.set_at is not None:
        return []
    return [PublishingPolicySet(review=command.review, set_at=command.at)]


def evolve(state: Policy, event: Event) -> Policy:
    if isinstance(event, PublishingPolicySet):
        return Policy(event.review, event.set_at)
    raise TypeError(f"{event.type} is not of a publishing policy")


policy: Decider[SetPolicy, Policy] = Decider(Policy(), decide, evolve)
