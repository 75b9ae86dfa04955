"""What `log.sql` and the migrations make in every database with a log, as tables that say what
their columns hold; nothing is made from them."""

from typing import Annotated

from sqlalchemy import MetaData, Table

from libs.common.fields import (
    Actor,
    Count,
    Digest,
    EventId,
    Moment,
    OrganizationId,
    RequestId,
    SealedJson,
    SealedOrigin,
    SealedText,
    StreamName,
    TraceParent,
    Version,
    Word,
    indirect,
    plain,
)
from libs.common.tables import column

EventData = Annotated[str, indirect("data of the event: each leaf stands here by itself")]
Process = Annotated[str, plain("process of this installation")]
ErrorType = Annotated[str, plain("kind of an error")]
FileName = Annotated[str, plain("name of a migration")]

metadata = MetaData()
log = Table(
    "log", metadata,
    column("partition", Count), column("n", Count), column("id", EventId),
    column("org", OrganizationId), column("stream", StreamName), column("version", Version),
    column("type", Word), column("data_version", Version), column("at", Moment),
    column("actor", Actor), column("request_id", RequestId | None),
    column("causation_id", EventId | None), column("origin", SealedOrigin | None),
    column("traceparent", TraceParent | None), column("data", EventData),
)  # fmt: skip
Table("expired", metadata, column("partition", Count), column("n", Count))
Table(
    "heads", metadata,
    column("partition", Count), column("n", Count), column("incarnation", Count),
)  # fmt: skip
Table(
    "commands", metadata,
    column("org", OrganizationId), column("id", EventId), column("digest", Digest),
    column("stream", StreamName), column("first", Version), column("last", Version),
    column("answer", SealedJson | None), column("at", Moment),
)  # fmt: skip
Table(
    "readers", metadata,
    column("name", Word), column("version", Version), column("incarnation", Count),
    column("n", Count), column("stopped_at", Count | None), column("error", ErrorType | None),
    column("skip", Count | None), column("skip_reason", SealedText | None), column("at", Moment),
)  # fmt: skip
Table(
    "sweeps", metadata,
    column("rule", Word), column("at", Moment), column("gone", Count),
    column("overdue", Moment | None), column("error", ErrorType | None),
)  # fmt: skip
Table(
    "leases", metadata,
    column("name", Word), column("owner", Process), column("until", Moment),
)  # fmt: skip
Table("migrations", metadata, column("name", FileName), column("at", Moment))

TABLES = tuple(metadata.sorted_tables)
