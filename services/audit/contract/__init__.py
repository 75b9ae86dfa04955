"""What others may ask of audit, and the facts it records."""

from typing import Annotated, Literal

from pydantic import Field

from libs.common.fields import (
    Actor,
    Count,
    DataClass,
    EventId,
    Flag,
    Meaning,
    Moment,
    RequestId,
    StreamName,
    Subject,
    Word,
)
from libs.common.lists import Page, PageQuery
from libs.common.messages import Event, Message, Query
from libs.common.purposes import Basis, Kept, Purpose
from services.audit.contract.inventory import CheckInventory as CheckInventory
from services.audit.contract.inventory import CheckShown as CheckShown
from services.audit.contract.inventory import Difference as Difference
from services.audit.contract.inventory import FindInventory as FindInventory
from services.audit.contract.inventory import InventoryChecked as InventoryChecked
from services.audit.contract.inventory import InventoryDiffered as InventoryDiffered
from services.audit.contract.inventory import InventoryShown as InventoryShown
from services.audit.contract.inventory import LeafShown as LeafShown
from services.audit.contract.inventory import Mark as Mark
from services.audit.contract.inventory import PlaceShown as PlaceShown
from services.audit.contract.proof import *  # noqa: F403 - a part of this one, to others
from services.audit.contract.record import FindProcessingRecord as FindProcessingRecord
from services.audit.contract.record import RecordShown as RecordShown

SERVICE = "audit"
PRODUCERS = ("identity", "workflows", "executor", "billing", "subscriptions")
Category = Literal[
    "authentication", "api-usage", "administration", "workflow", "execution", "integration",
    "error", "billing", "privacy", "platform", "other",
]  # fmt: skip
Outcome = Literal["success", "failure", "refused"]
EventTypePattern = Annotated[Word, Field(pattern=r"^[a-z0-9.-]+\*?$")]


def _of_origin(category: str) -> Meaning:
    """Stored in the trail's sealed detail only; a caller's answer is the one place it is open."""
    return Meaning(
        DataClass.DIRECT, category, Subject.PERSON, Purpose.SECURITY, Basis.LEGITIMATE_INTEREST,
        Kept.TRAIL_DETAIL, False,
    )  # fmt: skip


SourceAddress = Annotated[str, Field(max_length=64), _of_origin("network address")]
UserAgent = Annotated[str, Field(max_length=1000), _of_origin("user agent")]


# -- events ------------------------------------------------------------------------------------


class GapFound(Event, type="audit.event.gap-found"):
    """Numbers `first` to `last` of a producer are in no message and no page of its log."""

    producer: Word
    incarnation: Count
    first: Count
    last: Count


class GapClosed(Event, type="audit.event.gap-closed"):
    """The producer's log gave them after all, and they were entered."""

    producer: Word
    incarnation: Count
    first: Count
    last: Count


# -- queries (the answers are what REST shows) ---------------------------------------------------


class EntryShown(Message):
    """That something happened, when and by whom; never what was processed.

    `resource` is the id of the thing (`wf_…`), `version` its place in that thing's history.
    `actor` is `forgotten` when the person's key is destroyed; address and user agent are then gone.
    """

    id: EventId
    type: Word
    category: Category
    producer: Word
    number: Count
    resource_kind: Word
    resource: StreamName
    version: Count
    actor: Actor
    outcome: Outcome
    address: SourceAddress | None
    user_agent: UserAgent | None
    request_id: RequestId | None
    occurred_at: Moment


class FindEntries(
    PageQuery, type="audit.query.find-entries", permission="audit:read", answers=Page[EntryShown]
):
    """Of the caller's organization, by day and order of entry; `type` may end with `*`.

    What was entered longer ago than the trail keeps its details is not found.
    """

    event_type: Annotated[list[EventTypePattern] | None, Field(max_length=20)] = None
    actor: Annotated[list[Actor] | None, Field(max_length=20)] = None
    resource: Annotated[list[StreamName] | None, Field(max_length=20)] = None
    address: Annotated[list[SourceAddress] | None, Field(max_length=20)] = None
    outcome: list[Outcome] | None = None
    category: list[Category] | None = None
    from_at: Moment | None = None
    to_at: Moment | None = None


class FindEntry(Query, type="audit.query.find-entry", permission="audit:read", answers=EntryShown):
    """One entry of the caller's organization."""

    event_id: EventId


class Gap(Message):
    """Numbers that are missing, both ends included."""

    first: Count
    last: Count
    found_at: Moment


class ProducerShown(Message):
    """`head`: what the producer's own log says now, null when it does not answer.

    `last`: the last number taken; `count`: numbers up to `last` that stand in the trail.
    """

    producer: Word
    incarnation: Count
    head: Count | None
    last: Count
    count: Count
    gaps: list[Gap]
    complete: Flag


class CompletenessShown(Message):
    """`complete` when every producer answered and head = last = count without a gap."""

    complete: Flag
    audited: Count
    producers: list[ProducerShown]


class TakenShown(Message):
    """Up to which number every event of a producer stands in the trail."""

    incarnation: Count
    upto: Count


class FindTaken(Query, type="audit.query.find-taken", answers=TakenShown):
    """Asked by services: what of its log a producer may let go."""

    producer: Word


class FindCompleteness(
    Query, type="audit.query.find-completeness", permission="instance", answers=CompletenessShown
):
    """Is what was committed also audited, producer by producer?"""
