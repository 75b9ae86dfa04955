"""Tables of files: what each is, its sealed pieces, and which executions refer to it."""

from sqlalchemy import Index, Table

from libs.common.fields import (
    Bytes,
    Count,
    ExecutionId,
    FileId,
    MediaType,
    Moment,
    OrganizationId,
    SealedBytes,
    UploadId,
)  # fmt: skip
from libs.common.tables import column, moment_now
from services.executor.tables import metadata

files = Table(
    "files",
    metadata,
    column("org", OrganizationId, primary_key=True),
    column("file", FileId, primary_key=True),
    column("media_type", MediaType),
    column("size_bytes", Bytes),
    column("upload", UploadId, unique=True),
    column("pieces", Count),
    moment_now("stored_at", Moment),
    moment_now("touched_at", Moment),
    Index("files_by_touch", "touched_at"),
)

pieces = Table(
    "file_pieces",
    metadata,
    column("upload", UploadId, primary_key=True),
    column("number", Count, primary_key=True),
    column("org", OrganizationId),
    column("body", SealedBytes),
    moment_now("at", Moment),
    Index("file_pieces_by_org", "org"),
    Index("file_pieces_by_time", "at"),
)

references = Table(
    "file_references",
    metadata,
    column("org", OrganizationId, primary_key=True),
    column("file", FileId, primary_key=True),
    column("execution", ExecutionId, primary_key=True),
    moment_now("at", Moment),
    Index("file_references_by_time", "at"),
    info={"hidden": True},
)
