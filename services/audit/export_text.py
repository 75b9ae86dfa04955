"""The text of an export, part by part: the same bytes each time, until something is forgotten."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, text

from libs.common.service import Service
from libs.trail import exporting, paths
from services.audit import ocsf, proving, stored
from services.audit.daykeys import DayForgotten, DayKeys
from services.audit.detail import Opened, unseal
from services.audit.people import People
from services.audit.proof_tables import checkpoints
from services.audit.signing import CheckpointSigner

PART_ENTRIES = 64
DETAILS = """
select day, seq, sealed from details where day = any(:days) and seq = any(:seqs) and trail = :trail
"""


class ExportText:
    """`row` is that of an export, or of a live stream: whose, which trail, which format."""

    def __init__(
        self, service: Service, keys: DayKeys, people: People, signer: CheckpointSigner
    ) -> None:
        self.service, self._keys, self._people, self._signer = service, keys, people, signer

    async def part(self, row: Any, first: int, count: int) -> bytes:
        """So many entries; with the header before the first, the footer behind the last."""
        async with self.service.database.work() as db:
            rows = stored.of_work(db)
            entries = await stored.entries(rows, row.trail, first, first + count)
        lines = await self.lines(row, entries)
        if row.format == "ocsf":
            return b"".join(lines)
        if first == row.first:
            lines.insert(0, exporting.line(self._header(row)))
        if first + count == row.first + row.count:
            lines.append(exporting.line(await self._footer(row)))
        return b"".join(lines)

    async def lines(self, row: Any, entries: Sequence[stored.Entry]) -> list[bytes]:
        """One for each entry, in the row's format."""
        opened, name = await self.opened(row, entries), stored.trail_name(row.trail)
        if row.format == "ocsf":
            return [exporting.line(ocsf.event(name, e, opened.get(e.seq))) for e in entries]
        return [exporting.line(proving.entry_line(e, opened.get(e.seq))) for e in entries]

    async def opened(self, row: Any, entries: Sequence[stored.Entry]) -> dict[int, Opened]:
        """By number; those that are forgotten are left out."""
        self._keys.refresh()
        kept = [entry for entry in entries if entry.day >= self._keys.oldest]
        values = {
            "days": [*{entry.day for entry in kept}], "seqs": [entry.seq for entry in kept],
            "trail": row.trail,
        }  # fmt: skip
        async with self.service.database.read(row.org) as db:
            found = (await db.execute(text(DETAILS), values)).all() if kept else []
        opened = {}
        for one in found:
            try:
                key = self._keys.of(one.day)
            except DayForgotten:
                continue
            shown = await unseal(one.sealed, key, row.trail, one.seq, self._people)
            if shown is not None:
                opened[one.seq] = shown
        return opened

    def _header(self, row: Any) -> dict[str, Any]:
        name = stored.trail_name(row.trail)
        return exporting.header(name, row.first, row.count, str(self._signer.verifier))

    async def _footer(self, row: Any) -> dict[str, Any]:
        end, size = row.first + row.count, row.signed_size
        c = checkpoints.c
        async with self.service.database.work() as db:
            signed = select(c.note).where(c.trail == row.trail, c.size == size)
            note = (await db.execute(signed)).scalar_one()
            hash_of = await stored.hash_of(
                stored.of_work(db), row.trail, [(0, row.first), (end, size)]
            )
        left, right = paths.covering(0, row.first, hash_of), paths.covering(end, size, hash_of)
        return exporting.footer(note + row.cosigned, left, right)
