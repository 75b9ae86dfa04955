"""Legal holds: what is asked, answered and told of them.

Part of `services.audit.contract`, where others find it too.
"""

from typing import Annotated, Literal

from pydantic import Field

from libs.common.fields import (
    Actor,
    Count,
    FreeText,
    Moment,
    OrganizationId,
    SealedJson,
    SealedText,
    plain,
)
from libs.common.lists import Page, PageQuery
from libs.common.messages import Command, Event, Message
from services.audit.contract.entries import EntryShown, EventTypePattern
from services.audit.contract.forgetting import ReceiptId
from services.audit.contract.proof import Base64, TrailId

HoldId = Annotated[str, Field(pattern=r"^hold_[0-9a-z]{26}$"), plain("legal hold id")]
HoldReason = Annotated[FreeText, Field(min_length=1, max_length=500)]
Ended = Literal["lifted", "expired"]


# -- events ------------------------------------------------------------------------------------


class HoldPlaced(Event, type="audit.event.hold-placed", public=True):
    """Entries of this time are kept for a case; `filter` says which, sealed."""

    hold_id: HoldId
    from_at: Moment
    to_at: Moment
    expires_at: Moment
    placed_at: Moment
    reason: SealedText
    filter: SealedJson


class HoldLifted(Event, type="audit.event.hold-lifted", public=True):
    """The case's key and all that was kept under it is destroyed; `entries` were kept."""

    hold_id: HoldId
    how: Ended
    entries: Count
    ended_at: Moment
    receipt: ReceiptId


# -- commands and queries ------------------------------------------------------------------------


class HoldShown(Message):
    """`actor`, `event_type` and `entries` are the operator's, null for everybody else.

    `ended_at`, `how` and `receipt` are null while it holds.
    """

    id: HoldId
    organization_id: OrganizationId
    reason: FreeText
    from_at: Moment
    to_at: Moment
    placed_at: Moment
    expires_at: Moment
    ended_at: Moment | None
    how: Ended | None
    receipt: ReceiptId | None
    actor: list[Actor] | None
    event_type: list[EventTypePattern] | None
    entries: Count | None


class PlaceHold(Command, type="audit.command.place-hold", permission="instance", answers=HoldShown):
    """Keep the entries of a time, of these actors and types where they are given, for a case.

    Also those that are entered later; up to `expires_at`.
    """

    organization_id: OrganizationId
    reason: HoldReason
    from_at: Moment
    to_at: Moment
    expires_at: Moment
    actor: Annotated[list[Actor] | None, Field(min_length=1, max_length=20)] = None
    event_type: Annotated[list[EventTypePattern] | None, Field(min_length=1, max_length=20)] = None


class LiftHold(Command, type="audit.command.lift-hold", permission="instance", answers=HoldShown):
    """End it: the case's key and rows are destroyed."""

    hold_id: HoldId


class FindHolds(
    PageQuery, type="audit.query.find-holds", permission="audit:read", answers=Page[HoldShown]
):
    """Those of the caller's organization."""

    organization_id: OrganizationId | None = None


class FindAllHolds(
    FindHolds, type="audit.query.find-all-holds", permission="instance", answers=Page[HoldShown]
):
    """Those of all organizations, or of the one that is given, with what they name."""


class HeldEntry(Message):
    """An entry as the case has it, and its place and leaf in the trail, which stay provable."""

    trail: TrailId
    seq: Count
    leaf: Base64
    entry: EntryShown


class FindHeldEntries(
    PageQuery, type="audit.query.find-held-entries", permission="instance", answers=Page[HeldEntry]
):
    """What a case has kept, also when the day itself is forgotten."""

    hold_id: HoldId
