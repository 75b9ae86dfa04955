"""What others may ask of the live stream of a trail to a SIEM; and what is told of it.

Part of `services.audit.contract`, where others find it too.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_serializer

from libs.common.errors import Conflict, Rejected
from libs.common.fields import (
    Actor,
    Count,
    Flag,
    HostName,
    Moment,
    Number,
    SealedUrl,
    Seconds,
    SecretText,
    SiemStreamId,
    Url,
    Word,
)
from libs.common.lists import Page, PageQuery
from libs.common.messages import Command, Event, Message, Query
from services.audit.contract.proof import ExportFormat, TrailId

STREAMS_MAX = 20
WINDOW_DAYS, WINDOW_DAYS_MAX = 7, 30
HeaderName = Literal["authorization", "dd-api-key", "x-api-key"]
# Visible characters, as they may stand in a header.
Authorization = Annotated[
    SecretText, Field(min_length=1, max_length=4000, pattern=r"^[\x21-\x7e]+( +[\x21-\x7e]+)*$")
]
WindowDays = Annotated[Count, Field(ge=1, le=WINDOW_DAYS_MAX)]
Checked = Literal["ok", "failed"]


class UrlNotAllowed(Rejected):
    """One text for closed, filtered and forbidden."""

    code = "url-not-allowed"


class TooManyStreams(Conflict):
    code = "limit-reached"


# -- events ------------------------------------------------------------------------------------


class SiemStreamCreated(Event, type="audit.event.siem-stream-created", public=True):
    """From here on the trail is carried there too."""

    siem_stream_id: SiemStreamId
    url: SealedUrl
    host: HostName
    format: ExportFormat
    authorized: Flag
    authorization_header: HeaderName
    loss_window_days: Count
    created_at: Moment
    by: Actor


class SiemStreamChanged(Event, type="audit.event.siem-stream-changed", public=True):
    """All of it, as it is from now on."""

    siem_stream_id: SiemStreamId
    url: SealedUrl
    host: HostName
    format: ExportFormat
    authorized: Flag
    authorization_header: HeaderName
    loss_window_days: Count
    by: Actor


class SiemSecretRotated(Event, type="audit.event.siem-secret-rotated", public=True):
    """The secret before this one signs too, until then."""

    siem_stream_id: SiemStreamId
    old_valid_until: Moment
    by: Actor


class SiemStreamDeleted(Event, type="audit.event.siem-stream-deleted", public=True):
    siem_stream_id: SiemStreamId
    by: Actor


class SiemDelivered(Event, type="audit.event.siem-delivered"):
    """One an hour: so many entries of the trail, `first` to `last`, have arrived there.

    What carries the trail away is not itself carried: not public, and left out of the stream.
    """

    siem_stream_id: SiemStreamId
    hour: Moment
    count: Count
    first: Count
    last: Count


class SiemChecked(Event, type="audit.event.siem-checked"):
    """The daily health check was posted; left out of the stream as what it carries is."""

    siem_stream_id: SiemStreamId
    outcome: Checked
    last_status: Number | None
    last_error: Word | None
    position: Count
    size: Count


class SiemEntriesLost(Event, type="audit.event.siem-entries-lost", public=True):
    """They were entered longer ago than the loss window and did not arrive: they are not sent any
    more. They stand in the trail, and an export has them."""

    siem_stream_id: SiemStreamId
    first: Count
    last: Count
    count: Count
    loss_window_days: Count


# -- answers -----------------------------------------------------------------------------------


class SiemStreamShown(Message):
    """`signing_secret` is there once, in the answer that made it; the authorization never is.

    `trail` is the instance's for a stream of the operator; null while nothing was entered.
    """

    id: SiemStreamId
    trail: TrailId | None
    url: Url
    host: HostName
    format: ExportFormat
    authorized: Flag
    authorization_header: HeaderName
    loss_window_days: Count
    created_at: Moment
    signing_secret: SecretText | None = None


class SiemStateShown(Message):
    """`position` is the number of the next entry, `waiting` how many are there from it on.

    `lag_s`: how long ago the first of them happened. `lost`: so many were not sent in time, ever.
    """

    id: SiemStreamId
    state: Literal["working", "failing"]
    position: Count
    waiting: Count
    lag_s: Seconds
    lost: Count
    loss_window_days: Count
    last_delivered_at: Moment | None
    last_health: Checked | None
    last_health_at: Moment | None
    failing_since: Moment | None
    failures: Count
    last_status: Number | None
    last_error: Word | None
    next_attempt_at: Moment | None


# -- commands and queries ----------------------------------------------------------------------


class CreateSiemStream(
    Command, type="audit.command.create-siem-stream", permission="audit:export",
    answers=SiemStreamShown,
):  # fmt: skip
    """Every entry from now on is posted to `url` (docs/siem.md). `authorization` is sent in the
    header that `authorization_header` names. `trail` is the caller's organization's own; the
    instance's, for its operator.

    Refuses: url-not-allowed, limit-reached.
    """

    url: Url
    format: ExportFormat
    authorization: Authorization | None = None
    authorization_header: HeaderName = "authorization"
    loss_window_days: WindowDays = WINDOW_DAYS
    trail: TrailId | None = None


class SiemStreamPatch(Message):
    """A JSON Merge Patch: what is not there stays, null takes the authorization away."""

    url: Url | None = None
    format: ExportFormat | None = None
    authorization: Authorization | None = None
    authorization_header: HeaderName | None = None
    loss_window_days: WindowDays | None = None

    @model_serializer(mode="wrap")
    def _only_what_is_there(self, handler: Any) -> dict[str, Any]:
        return {k: v for k, v in handler(self).items() if k in self.model_fields_set}


class ChangeSiemStream(
    Command, type="audit.command.change-siem-stream", permission="audit:export",
    answers=SiemStreamShown,
):  # fmt: skip
    """`PATCH`; the body is `patch`. It is checked, and what waits is tried again, at once."""

    stream: SiemStreamId
    patch: SiemStreamPatch


class DeleteSiemStream(
    Command, type="audit.command.delete-siem-stream", permission="audit:export",
    answers=SiemStreamShown,
):  # fmt: skip
    """204 at the door; its secrets go at once."""

    stream: SiemStreamId


class RotateSiemSecret(
    Command, type="audit.command.rotate-siem-secret", permission="audit:export",
    answers=SiemStreamShown,
):  # fmt: skip
    """The new `signing_secret` is answered once; the old one signs for 24 h too."""

    stream: SiemStreamId


class FindSiemStreams(
    PageQuery, type="audit.query.find-siem-streams", permission="audit:read",
    answers=Page[SiemStreamShown],
):  # fmt: skip
    """The organization's; those of the instance's `trail`, for its operator."""

    trail: TrailId | None = None


class FindSiemStream(
    Query, type="audit.query.find-siem-stream", permission="audit:read", answers=SiemStreamShown
):
    """Its version is the ETag."""

    stream: SiemStreamId


class FindSiemState(
    Query, type="audit.query.find-siem-state", permission="audit:read", answers=SiemStateShown
):
    """How far it is, and how it is."""

    stream: SiemStreamId
