"""Tables of what was signed, which the signer alone writes, and of exports that are made."""

from typing import Annotated

from pydantic import Field
from sqlalchemy import Index, Table, literal_column

from libs.common.fields import (
    Actor,
    Count,
    Digest,
    Flag,
    Moment,
    OperationId,
    OrganizationId,
    RequestId,
    Word,
    plain,
)
from libs.common.tables import column, moment_now
from services.audit.tables import Hashes, TrailKey, metadata

Note = Annotated[str, Field(max_length=2_000), plain("signed note: sizes, hashes, times")]
DigestBody = Annotated[str, Field(max_length=20_000), plain("numbers of producers, signed for")]
WitnessKey = Annotated[str, Field(max_length=200), plain("public key of a witness")]
Cosignature = Annotated[str, Field(max_length=400), plain("signature of a witness, and when")]
Cosignatures = Annotated[str, Field(max_length=4_000), plain("signatures of witnesses, and when")]
SIGNED = {"rights": "select"}

checkpoints = Table(
    "checkpoints", metadata,
    column("trail", TrailKey, primary_key=True), column("size", Count, primary_key=True),
    column("root", Hashes), column("note", Note), column("at", Moment),
    info=SIGNED,
)  # fmt: skip
cosignatures = Table(
    # What witnesses have signed: the line that stands below the note of the checkpoint.
    "cosignatures", metadata,
    column("trail", TrailKey, primary_key=True), column("size", Count, primary_key=True),
    column("witness", WitnessKey, primary_key=True), column("line", Cosignature),
    column("at", Moment),
    Index("cosignatures_by_witness", "witness", "at"),
    info=SIGNED,
)  # fmt: skip
digests = Table(
    "digests", metadata,
    column("number", Count, primary_key=True), column("from_at", Moment), column("to_at", Moment),
    column("complete", Flag), column("note", Note), column("body", DigestBody),
    info=SIGNED,
)  # fmt: skip
exports = Table(
    # What was asked for, and which entries it became; what is exported is never stored.
    "exports", metadata,
    column("id", OperationId, primary_key=True), column("org", OrganizationId),
    column("trail", TrailKey), column("actor", Actor), column("request_id", RequestId),
    column("format", Word), column("from_at", Moment), column("to_at", Moment),
    column("status", Word, server_default="queued"), column("problem", Word | None),
    column("first", Count | None), column("count", Count | None),
    column("signed_size", Count | None),
    column("cosigned", Cosignatures, server_default=""), column("done", Count, server_default="0"),
    column("bytes", Count, server_default="0"), moment_now("created_at", Moment),
    column("ended_at", Moment | None),
    Index(
        "exports_open", "created_at", postgresql_where=literal_column("ended_at is null")
    ),
)  # fmt: skip
export_parts = Table(
    # Where in the result each part begins, and the hash that it has when it is made again.
    "export_parts", metadata,
    column("export", OperationId, primary_key=True), column("start", Count, primary_key=True),
    column("org", OrganizationId), column("first", Count), column("count", Count),
    column("bytes", Count), column("hash", Digest),
)  # fmt: skip
