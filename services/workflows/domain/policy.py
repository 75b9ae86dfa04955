"""How an organization publishes: with four eyes or two, and held against past executions."""

from dataclasses import dataclass
from datetime import datetime

from libs.common.decider import Decider
from libs.common.messages import Event
from services.workflows.contract import PublishingPolicySet


@dataclass(frozen=True, slots=True)
class Policy:
    """`set_at` is None while nobody has set it."""

    review: bool = False
    golden_replay: int = 0
    set_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SetPolicy:
    """What is None stays as it is."""

    review: bool | None
    golden_replay: int | None
    at: datetime


def decide(command: SetPolicy, state: Policy) -> list[Event]:
    review = state.review if command.review is None else command.review
    golden = state.golden_replay if command.golden_replay is None else command.golden_replay
    if (review, golden) == (state.review, state.golden_replay) and state.set_at is not None:
        return []
    return [PublishingPolicySet(review=review, golden_replay=golden, set_at=command.at)]


def evolve(state: Policy, event: Event) -> Policy:
    if isinstance(event, PublishingPolicySet):
        return Policy(event.review, event.golden_replay, event.set_at)
    raise TypeError(f"{event.type} is not of a publishing policy")


policy: Decider[SetPolicy, Policy] = Decider(Policy(), decide, evolve)
