"""A day of the trail is forgotten: what is told of it, and the receipt.

Part of `services.audit.contract`, where others find it too.
"""

from typing import Annotated, Literal

from pydantic import Field

from libs.common.fields import Count, Day, KeyId, Moment, Word, plain
from libs.common.messages import Event, Message, Query
from services.audit.contract.proof import Base64, NoteText, TrailId

ReceiptId = Annotated[str, Field(pattern=r"^rcp_[0-9a-z]{26}$"), plain("receipt id")]
How = Literal["anonymized", "de-identified"]


class ClassCount(Message):
    """Entries of one class on the day; `entries` null where so few would stand out.

    A group of fewer than five is *de-identified* only: its class and day stay in its leaves.
    """

    entry_class: Word
    entries: Count | None
    how: How


class DayForgotten(Event, type="audit.event.day-forgotten", public=True):
    """The key of a day was destroyed and its details dropped; once for each trail and day.

    `entries` is null for fewer than five, and where the details had been lost before. `size` and
    `root` are those of the last checkpoint before; `root` is null where there was none.
    """

    trail: TrailId
    day: Day
    entries: Count | None
    counts: list[ClassCount]
    size: Count
    root: Base64 | None
    receipt: ReceiptId


class ForgettingStopped(Event, type="audit.event.forgetting-stopped"):
    """A day is due and nothing is destroyed: clocks differ by more than five minutes.

    `digest_at` is up to when the last digest reaches. Told once for each day.
    """

    day: Day
    process_at: Moment
    database_at: Moment
    digest_at: Moment | None


class DetailMissing(Event, type="audit.event.detail-missing"):
    """The details of a kept day are not there, and nothing says that they were forgotten."""

    day: Day


class ReceiptShown(Message):
    """`note` is signed with the key of the checkpoints: what was done, of which trail, when."""

    id: ReceiptId
    kind: Word
    trail: TrailId
    note: NoteText
    made_at: Moment


class FindReceipt(
    Query, type="audit.query.find-receipt", permission="audit:read", answers=ReceiptShown
):
    """Of the caller's organization's trail."""

    receipt_id: ReceiptId


class DestroyedKeysFound(Message):
    """Those of the asked ids that the forget ledger names."""

    kids: list[KeyId]


class FindDestroyedKeys(Query, type="audit.query.find-destroyed-keys", answers=DestroyedKeysFound):
    """Asked by identity, which may have got an older copy of its key store back."""

    kids: Annotated[list[KeyId], Field(max_length=1000)]
