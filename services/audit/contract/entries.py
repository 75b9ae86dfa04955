"""An entry of the trail as callers see it.

Part of `services.audit.contract`, where others find it.
"""

from typing import Annotated, Literal

from pydantic import Field

from libs.common.fields import (
    Actor,
    Count,
    DataClass,
    EventId,
    Meaning,
    Moment,
    RequestId,
    StreamName,
    Subject,
    Word,
)
from libs.common.messages import Message
from libs.common.purposes import Basis, Kept, Purpose

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
