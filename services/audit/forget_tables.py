"""Tables of what was forgotten, of its receipts, and of what a legal hold keeps.

`forget_ledger` is for ever and only grows: it is applied before anything is served, so that what
was restored from an older copy is forgotten again.
"""

from typing import Annotated

from pydantic import Field
from sqlalchemy import Table

from libs.common.fields import (
    Count,
    DataClass,
    Moment,
    OrganizationId,
    SealedJson,
    SealedText,
    Subject,
    Word,
    in_record,
    plain,
)
from libs.common.tables import column
from services.audit.contract.forgetting import ReceiptId
from services.audit.contract.holds import Ended, HoldId
from services.audit.proof_tables import SIGNED, Note
from services.audit.tables import DayNumber, Hashes, TrailKey, metadata

WhatWasForgotten = Annotated[
    str, Field(max_length=64), plain("what was forgotten: a day, the id of a key, of a hold")
]
CaseEntry = Annotated[
    bytes, in_record(DataClass.DIRECT, "audit entry of a case", Subject.PERSON, sealed=True)
]

forget_ledger = Table(
    # `kind` is day, person, organization (by the ids of their keys, which name nobody) or hold.
    "forget_ledger", metadata,
    column("kind", Word, primary_key=True), column("subject", WhatWasForgotten, primary_key=True),
    column("at", Moment), column("why", Word), column("receipt", ReceiptId | None),
    info={"rights": "insert"},
)  # fmt: skip
forgotten_days = Table(
    # Where the entries of a day stood, and the last checkpoint before: from this and the leaves
    # the counts can be made at any time, so a crash in the middle changes nothing.
    "forgotten_days", metadata,
    column("day", DayNumber, primary_key=True), column("trail", TrailKey, primary_key=True),
    column("first", Count | None), column("last", Count | None),
    column("size", Count), column("root", Hashes | None),
    info={"rights": "insert"},
)  # fmt: skip
detail_days = Table(
    # Days for which there ever was a partition: one that is missing without a row in the ledger
    # was dropped by somebody else.
    "detail_days", metadata, column("day", DayNumber, primary_key=True),
    info={"rights": "select", "owner": "anonymizer"},
)  # fmt: skip
receipts = Table(
    "receipts", metadata,
    column("id", ReceiptId, primary_key=True), column("trail", TrailKey), column("kind", Word),
    column("note", Note), column("at", Moment),
    info=SIGNED,
)  # fmt: skip
holds = Table(
    "holds", metadata,
    column("id", HoldId, primary_key=True), column("org", OrganizationId),
    column("from_at", Moment), column("to_at", Moment), column("placed_at", Moment),
    column("expires_at", Moment), column("reason", SealedText), column("filter", SealedJson),
    column("ended_at", Moment | None), column("how", Ended | None),
    column("entries", Count | None), column("receipt", ReceiptId | None),
)  # fmt: skip
hold_marks = Table(
    # Up to which day the entries of a hold were copied whole.
    "hold_marks", metadata, column("hold", HoldId, primary_key=True), column("day", DayNumber),
)  # fmt: skip
hold_entries = Table(
    "hold_entries", metadata,
    column("hold", HoldId, primary_key=True), column("seq", Count, primary_key=True),
    column("trail", TrailKey), column("day", DayNumber), column("sealed", CaseEntry),
)  # fmt: skip
