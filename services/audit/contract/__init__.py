"""What others may ask of audit, and the facts it records."""

from typing import Annotated

from pydantic import Field

from libs.common.fields import Actor, Count, EventId, Flag, Moment, StreamName, Word
from libs.common.lists import Page, PageQuery
from libs.common.messages import Event, Message, Query
from services.audit.contract.entries import Category as Category
from services.audit.contract.entries import EntryShown as EntryShown
from services.audit.contract.entries import EventTypePattern as EventTypePattern
from services.audit.contract.entries import Outcome as Outcome
from services.audit.contract.entries import SourceAddress as SourceAddress
from services.audit.contract.entries import UserAgent as UserAgent
from services.audit.contract.forgetting import *  # noqa: F403 - a part of this one, to others
from services.audit.contract.holds import *  # noqa: F403 - a part of this one, to others
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
from services.audit.contract.looking import TrailRead as TrailRead
from services.audit.contract.origins import FindOriginKeys as FindOriginKeys
from services.audit.contract.origins import OriginKeyFound as OriginKeyFound
from services.audit.contract.origins import OriginKeysFound as OriginKeysFound
from services.audit.contract.origins import origin_kid as origin_kid
from services.audit.contract.proof import *  # noqa: F403 - a part of this one, to others
from services.audit.contract.record import FindProcessingRecord as FindProcessingRecord
from services.audit.contract.record import RecordShown as RecordShown
from services.audit.contract.siem import *  # noqa: F403 - a part of this one, to others

SERVICE = "audit"
PRODUCERS = ("identity", "workflows", "executor", "billing", "subscriptions")


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


class FindInstanceEntries(
    FindEntries, type="audit.query.find-instance-entries", permission="instance",
    answers=Page[EntryShown],
):  # fmt: skip
    """Of the installation's own trail: sign-ins, processes, what belongs to no organization."""


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
