"""Receipts: signed notes of what was forgotten, of which trail, when (docs/trail-format.md §11)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from libs.common import ids
from libs.common.errors import NotFound
from libs.common.fields import milliseconds
from libs.common.messages import Meta
from libs.common.service import Service
from services.audit import proving, stored
from services.audit.contract.forgetting import FindReceipt, ReceiptShown
from services.audit.forget_tables import receipts
from services.audit.signing import CheckpointSigner, Connect

HEAD = "receipts"
KEEP = """
insert into receipts (id, trail, kind, note, at) values (%s, %s, %s, %s, %s)
on conflict do nothing
"""


def receipt_id(trail: UUID, kind: str, subject: str) -> str:
    """The same for the same thing, whoever makes it and however often."""
    return ids.derived("rcp", stored.trail_name(trail), kind, subject)


class Receipts:
    """Written as the signer; `connect` is a connection of `audit_signer`."""

    def __init__(self, signer: CheckpointSigner, connect: Connect, origin: str) -> None:
        self._signer, self._connect, self._origin = signer, connect, origin

    async def write(
        self, trail: UUID, kind: str, subject: str, at: datetime, lines: Sequence[str]
    ) -> str:
        """Its id; nothing is written when it is there."""
        made = receipt_id(trail, kind, subject)
        said = (
            f"{self._origin}/{HEAD}", made, stored.trail_name(trail), f"{kind} {subject}",
            milliseconds(at), *lines,
        )  # fmt: skip
        note = self._signer.sign("".join(f"{line}\n" for line in said))
        async with self._connect() as connection:
            await connection.execute(KEEP.encode(), (made, trail, kind, note, at))
        return made


async def find_receipt(service: Service, meta: Meta, query: FindReceipt) -> ReceiptShown:
    """NotFound for one of another trail; the operator sees those of the instance too."""
    async with service.database.work() as connection:
        found = await connection.execute(select(receipts).where(receipts.c.id == query.receipt_id))
        row: Any = found.first()
    if row is None:
        raise NotFound
    name = stored.trail_name(row.trail)
    await proving.trail_of(service, meta, name)
    return ReceiptShown(id=row.id, kind=row.kind, trail=name, note=row.note, made_at=row.at)
