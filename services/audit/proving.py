"""What is shown of the proof: checkpoints, consistency, proof files, tiles, digests.

Which trail a caller may see is looked up as the caller (row security); hashes name nobody.
"""

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import NotFound
from libs.common.lists import Page, page_of
from libs.common.messages import Meta
from libs.common.pages import seek
from libs.common.service import Service
from libs.trail import exporting, paths
from libs.trail.notes import b64
from libs.trail.proofs import Proof
from libs.trail.tree import TILE_HEIGHT, TILE_WIDTH
from services.audit import searching, stored
from services.audit.contract.proof import (
    CheckpointShown,
    ConsistencyShown,
    Counted,
    DigestShown,
    FindCheckpoint,
    FindCheckpoints,
    FindConsistency,
    FindDigests,
    FindProof,
    FindTile,
    NotSigned,
    ProofShown,
    TileShown,
)
from services.audit.daykeys import DayKeys
from services.audit.detail import Opened
from services.audit.people import People
from services.audit.proof_tables import checkpoints, cosignatures, digests

INSTANCE = "instance"
SIGNATURES_MAX = 15  # of witnesses; with the signer's own as many as every reader of notes takes
OWN = "select trail from trails where org = current_setting('app.org', true)"
SIGNED = select(checkpoints).order_by(checkpoints.c.size.desc()).limit(1)
_counted = msgspec.json.Decoder(list[dict[str, Any]]).decode


async def own_trail(service: Service, organization: str) -> UUID | None:
    async with service.database.read(organization) as connection:
        return (await connection.execute(text(OWN))).scalar_one_or_none()


async def trail_of(service: Service, meta: Meta, wanted: str | None) -> UUID:
    """The caller's own; NotFound for others', and for the instance's but for its operator."""
    own = await own_trail(service, meta.organization)
    if wanted is not None and (own is None or wanted != stored.trail_name(own)):
        own = await own_trail(service, INSTANCE) if INSTANCE in meta.permissions else None
        if own is None or wanted != stored.trail_name(own):
            raise NotFound
    if own is None:
        raise NotFound
    return own


async def last_signed(connection: AsyncConnection, trail: UUID, size: int | None = None) -> Any:
    """The row of the last checkpoint, or of that of a size; NotFound while there is none."""
    statement = SIGNED.where(checkpoints.c.trail == trail)
    if size is not None:
        statement = statement.where(checkpoints.c.size == size)
    row = (await connection.execute(statement)).first()
    if row is None:
        raise NotFound
    return row


async def cosigned(connection: AsyncConnection, trail: UUID, *sizes: int) -> dict[int, str]:
    """Of each size the lines of the witnesses that have signed it, as they came."""
    k = cosignatures.c
    of = select(k.size, k.line).where(k.trail == trail, k.size.in_(sizes))
    found: dict[int, list[str]] = {size: [] for size in sizes}
    for size, line in (await connection.execute(of.order_by(k.at, k.witness))).all():
        found[size].append(line)
    return {size: "".join(lines[:SIGNATURES_MAX]) for size, lines in found.items()}


async def checkpoints_shown(
    connection: AsyncConnection, *rows: Any
) -> list[CheckpointShown]:  # fmt: skip
    """Of one trail, with the witnesses' signatures behind the signer's own."""
    lines = await cosigned(connection, rows[0].trail, *(r.size for r in rows)) if rows else {}
    return [
        CheckpointShown(
            trail=stored.trail_name(row.trail), size=row.size, root=b64(row.root),
            checkpoint=row.note + lines[row.size], signed_at=row.at,
        )
        for row in rows
    ]  # fmt: skip


async def find_checkpoint(service: Service, meta: Meta, query: FindCheckpoint) -> CheckpointShown:
    trail = await trail_of(service, meta, query.trail)
    async with service.database.work() as connection:
        row = await last_signed(connection, trail, query.size)
        (shown,) = await checkpoints_shown(connection, row)
    return shown


async def find_checkpoints(
    service: Service, meta: Meta, query: FindCheckpoints
) -> Page[CheckpointShown]:
    trail, c = await trail_of(service, meta, query.trail), checkpoints.c
    statement = seek(select(checkpoints).where(c.trail == trail), query, c.size, c.at)
    async with service.database.work() as connection:
        rows = (await connection.execute(statement)).all()
        shown = await checkpoints_shown(connection, *rows)
    return page_of(rows, query, lambda r: (r.size, r.at), shown)


async def find_consistency(
    service: Service, meta: Meta, query: FindConsistency
) -> ConsistencyShown:
    trail, old, new = (
        await trail_of(service, meta, query.trail), query.from_size, query.to_size
    )  # fmt: skip
    async with service.database.work() as connection:
        signed = (await last_signed(connection, trail)).size
        if new > signed or old > new:
            raise NotSigned(f"say two sizes, the smaller one first, up to {signed}")
        ranges = paths.consistency_ranges(old, new)
        hash_of = await stored.hash_of(stored.of_work(connection), trail, ranges)
    found = [b64(hash_) for hash_ in paths.hashes(ranges, hash_of)]
    return ConsistencyShown(
        trail=stored.trail_name(trail), from_size=old, to_size=new, hashes=found
    )


async def find_tile(service: Service, meta: Meta, query: FindTile) -> TileShown:
    """NotFound for what the last checkpoint does not reach."""
    trail = await trail_of(service, meta, query.trail)
    start = query.index << TILE_HEIGHT
    async with service.database.work() as connection:
        whole = (await last_signed(connection, trail)).size >> TILE_HEIGHT * query.level
        width = query.width or min(TILE_WIDTH, whole - start)
        if width < 1 or start + width > whole:
            raise NotFound
        rows = stored.of_work(connection)
        found = await stored.hashes(rows, trail, query.level, start, start + width)
    return TileShown(hashes=b64(b"".join(found)))


async def find_proof(
    service: Service, keys: DayKeys, people: People, meta: Meta, query: FindProof
) -> ProofShown:
    """NotSigned while no checkpoint reaches the entry: a minute, as a rule."""
    async with service.database.read(meta.organization) as connection:
        found = await searching.find_entry(connection, keys, people, query.event_id)
    trail = await own_trail(service, meta.organization)
    if found is None or trail is None:
        raise NotFound
    async with service.database.work() as connection:
        try:
            signed = await last_signed(connection, trail)
        except NotFound:
            signed = None
        if signed is None or signed.size <= found.seq:
            raise NotSigned("the next checkpoint signs for this entry; try again in a minute")
        rows = stored.of_work(connection)
        (entry,) = await stored.entries(rows, trail, found.seq, found.seq + 1)
        ranges = paths.inclusion_ranges(found.seq, signed.size)
        hash_of = await stored.hash_of(rows, trail, ranges)
        lines = await cosigned(connection, trail, signed.size)
    extra = entry_line(entry, found.opened)
    note = signed.note + lines[signed.size]
    return ProofShown(proof=str(Proof(found.seq, paths.hashes(ranges, hash_of), note, extra)))


def entry_line(entry: stored.Entry, opened: Opened | None) -> dict[str, Any]:
    """An entry as an export and a proof file have it; None for one whose detail is forgotten."""
    if opened is None:
        return exporting.forgotten(entry.seq, entry.day, entry.class_, entry.leaf, entry.body)
    fields = exporting.shown(opened.values, opened.commitments(), opened.salts())
    return exporting.entry(entry.seq, entry.day, entry.class_, entry.leaf, fields)


async def find_digests(service: Service, meta: Meta, query: FindDigests) -> Page[DigestShown]:
    d = digests.c
    async with service.database.work() as connection:
        rows = (await connection.execute(seek(select(digests), query, d.to_at, d.number))).all()
    operator = INSTANCE in meta.permissions
    shown = [_digest_shown(row, operator=operator) for row in rows]
    return page_of(rows, query, lambda r: (r.to_at, r.number), shown)


def _digest_shown(row: Any, *, operator: bool) -> DigestShown:
    """The numbers would tell everybody how busy the installation is."""
    producers = [Counted.model_validate(p) for p in _counted(row.body)] if operator else None
    return DigestShown(
        number=row.number, from_at=row.from_at, to_at=row.to_at, complete=row.complete,
        note=row.note, producers=producers,
    )  # fmt: skip
