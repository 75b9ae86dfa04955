"""Files: values too large for a document's values, kept sealed beside the log, named by address.

In a value a file is `{"$file": "file_…"}`; its pieces are sealed for `file_stream(org, upload)`.
"""

from typing import Annotated

from pydantic import Field

from libs.common.errors import Conflict, Rejected
from libs.common.fields import (
    AnyJson,
    Bytes,
    Count,
    FileId,
    MediaType,
    Moment,
    SealedBytes,
    UploadId,
)  # fmt: skip
from libs.common.messages import Command, Event, Message, Query
from libs.common.streams import stream_of

FILE_BYTES_MAX = 104_857_600
PIECES_MAX = 800
REFERENCE = "$file"


class FilesFull(Conflict):
    """The organization keeps as many bytes as it may; `limit_bytes` in extra."""

    code = "files-full"


class FileMissing(Rejected):
    """A value names a file that is not there (any more)."""

    code = "file-missing"


class FileStored(Event, type="executor.event.file-stored", public=True):
    file_id: FileId
    media_type: MediaType
    size_bytes: Bytes


class FileCollected(Event, type="executor.event.file-collected", public=True):
    """Nothing referred to it, and nobody had sent it for a day."""

    file_id: FileId


class FileShown(Message):
    """`value` is what stands for the file in an input. It is kept while an execution refers to
    it, and a day from when it was sent."""

    id: FileId
    media_type: MediaType
    size_bytes: Bytes
    stored_at: Moment
    value: AnyJson


class PieceStored(Message):
    """Nothing more to say."""


class StorePiece(
    Command,
    type="executor.command.store-piece",
    permission="executions:start",
    answers=PieceStored,
):
    """One piece of an upload, sealed by the sender; again does no harm. Refuses: files-full."""

    upload: UploadId
    number: Annotated[Count, Field(lt=PIECES_MAX)]
    body: SealedBytes


class StoreFile(
    Command, type="executor.command.store-file", permission="executions:start", answers=FileShown
):
    """The upload is whole: its pieces are a file. One that is there already stays."""

    upload: UploadId
    file: FileId
    media_type: MediaType
    size_bytes: Annotated[Bytes, Field(le=FILE_BYTES_MAX)]
    pieces: Annotated[Count, Field(le=PIECES_MAX)]


class FileFound(Message):
    """Where its pieces are."""

    file: FileId
    media_type: MediaType
    size_bytes: Bytes
    upload: UploadId
    pieces: Count


class FindFile(
    Query, type="executor.query.find-file", permission="payloads:read", answers=FileFound
):
    file: FileId


class PieceFound(Message):
    body: SealedBytes


class FindPiece(
    Query, type="executor.query.find-piece", permission="payloads:read", answers=PieceFound
):
    upload: UploadId
    number: Count


def file_stream(organization: str, upload: str) -> str:
    return stream_of("file", organization, upload)
