"""Rows into the trail's tables by binary COPY: one round trip per table and batch."""

import struct
from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

HEAD = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
END = b"\xff\xff"
_DETAIL = struct.Struct(">hiqi16siqi")
_LAST = struct.Struct(">iqiq")
_INDEXES = struct.Struct(">iqiqiqiq")
_NUMBER = struct.Struct(">iq")
_NOTHING = b"\xff\xff\xff\xff"
_LEAF = struct.Struct(">hi16siqiq")
_TREE = struct.Struct(">hi16siqiqi")

DETAIL = b"""copy audit_detail
  (day, trail, seq, sealed, id, type, actor, resource, address, outcome, slot)
  from stdin (format binary)"""
LEAF = b"""copy audit_leaf (trail, first, count, leaves, bodies, days, classes)
  from stdin (format binary)"""
TREE = b"copy audit_tree (trail, level, idx, hash) from stdin (format binary)"


class DetailRow(NamedTuple):
    day: int
    trail: UUID
    seq: int
    sealed: bytes
    id: int
    type: int
    actor: int
    resource: int
    address: int | None
    outcome: int
    slot: int


class LeafRow(NamedTuple):
    trail: UUID
    first: int
    entries: int
    leaves: bytes
    bodies: bytes
    days: bytes
    classes: bytes


class TreeRow(NamedTuple):
    trail: UUID
    level: int
    idx: int
    hash: bytes


async def copy(
    connection: psycopg.AsyncConnection[Any], statement: bytes, rows: Iterable[bytes]
) -> None:
    """`rows` as the functions below write them; nothing is sent when there is none."""
    body = b"".join(rows)
    if not body:
        return
    async with connection.cursor() as cursor, cursor.copy(statement) as out:
        await out.write(HEAD + body + END)


def detail(row: DetailRow) -> bytes:
    address = _NOTHING if row.address is None else _NUMBER.pack(8, row.address)
    return b"".join((
        _DETAIL.pack(11, 8, row.day, 16, row.trail.bytes, 8, row.seq, len(row.sealed)), row.sealed,
        _INDEXES.pack(8, row.id, 8, row.type, 8, row.actor, 8, row.resource), address,
        _LAST.pack(8, row.outcome, 8, row.slot),
    ))  # fmt: skip


def leaf(row: LeafRow) -> bytes:
    parts = [_LEAF.pack(7, 16, row.trail.bytes, 8, row.first, 8, row.entries)]
    for value in (row.leaves, row.bodies, row.days, row.classes):
        parts += (len(value).to_bytes(4, "big"), value)
    return b"".join(parts)


def tree(row: TreeRow) -> bytes:
    return _TREE.pack(4, 16, row.trail.bytes, 8, row.level, 8, row.idx, 32) + row.hash
