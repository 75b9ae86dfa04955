"""Tables of live streams to a SIEM: where each goes, how far it is, and its secrets.

How far it is stands in no log; where it goes does too (`siem_stream.py`).
"""

from sqlalchemy import Index, Table

from libs.common.fields import (
    Actor,
    Count,
    Flag,
    HostName,
    Moment,
    Number,
    OrganizationId,
    SealedSecret,
    SealedUrl,
    SiemStreamId,
    Word,
)
from libs.common.tables import column, moment_now
from services.audit.tables import DayNumber, metadata

siem_streams = Table(
    # `position` is the number of the next entry. `hour…` is what arrived since it was last told;
    # `checked…` the last health check; `failing_since` until the next success of anything;
    # `changes` tells an attempt that was made before a change from one after it.
    "siem_streams", metadata,
    column("org", OrganizationId), column("id", SiemStreamId, primary_key=True),
    column("url", SealedUrl), column("host", HostName), column("format", Word),
    column("authorized", Flag), column("authorization_header", Word),
    column("loss_window_days", Count), column("created_at", Moment), column("created_by", Actor),
    column("changes", Count, server_default="0"),
    column("position", Count), column("lost", Count, server_default="0"),
    column("last_delivered_at", Moment | None),
    column("due_at", Moment | None), column("failing_since", Moment | None),
    column("failures", Count, server_default="0"), column("noticed_at", Moment | None),
    column("last_status", Number | None), column("last_error", Word | None),
    column("lost_at", Moment | None),
    column("checked_day", DayNumber | None), column("checked_at", Moment | None),
    column("checked", Word | None), column("since_check", Count, server_default="0"),
    column("hour", Moment | None), column("hour_count", Count, server_default="0"),
    column("hour_first", Count, server_default="0"), column("hour_last", Count, server_default="0"),
    Index("siem_streams_listed", "org", "created_at", "id"),
)  # fmt: skip
siem_secrets = Table(
    # `kind`: signing, of which two are valid while it is rotated, or authorization.
    "siem_secrets", metadata,
    column("org", OrganizationId), column("stream", SiemStreamId), column("kind", Word),
    column("sealed", SealedSecret), moment_now("made_at", Moment),
    column("valid_until", Moment | None),
    Index("siem_secrets_of", "stream"),
    info={"hidden": True},
)  # fmt: skip
