"""Looks for a text, in every form that it may have taken, in whatever an installation wrote."""

import base64
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

CONTEXT = 60


@dataclass(frozen=True)
class Hit:
    where: str
    form: str
    around: str


def forms(text: str) -> dict[str, bytes]:
    """As it is, in UTF-16, as hex, escaped as JSON may, reversed, in base64 at each offset."""
    raw = text.encode()
    found = {
        "clear": raw, "UTF-16 LE": text.encode("utf-16-le"), "UTF-16 BE": text.encode("utf-16-be"),
        "hex": raw.hex().encode(), "HEX": raw.hex().upper().encode(), "upper case":
        text.upper().encode(), "reversed": raw[::-1],
        "JSON-escaped": "".join(f"\\u{ord(c):04x}" for c in text).encode(),
        "percent-encoded": "".join(f"%{byte:02X}" for byte in raw).encode(),
    }  # fmt: skip
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw + b"\0" * ((-offset - len(raw)) % 3))
        first = (offset * 8 + 5) // 6
        last = (offset + len(raw)) * 8 // 6
        found[f"base64 at {offset}"] = encoded[first:last]
    return found


def in_bytes(where: str, data: bytes, text: str) -> Iterator[Hit]:
    for form, wanted in forms(text).items():
        at = data.find(wanted)
        if at >= 0:
            around = data[max(0, at - CONTEXT) : at + len(wanted) + CONTEXT]
            yield Hit(where, form, re.sub(r"[^\x20-\x7e]", ".", around.decode("latin-1")))


def in_files(folders: list[Path], text: str) -> tuple[list[Hit], int]:
    """What is found in all files there, and how many bytes were looked at."""
    hits: list[Hit] = []
    size = 0
    for file in _files(folders):
        try:
            data = file.read_bytes()
        except FileNotFoundError:
            continue  # a server took it away meanwhile
        size += len(data)
        hits += in_bytes(str(file), data, text)
    return hits, size


def _files(places: list[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_file():
            yield place
        for folder, _, names in os.walk(place):
            yield from (Path(folder, name) for name in names)


def in_tables(
    connection: psycopg.Connection[Any], database: str, text: str
) -> tuple[list[Hit], int]:
    """What is found in the columns of all tables: also what the server keeps compressed."""
    hits: list[Hit] = []
    rows = 0
    tables = connection.execute(
        "select c.oid::regclass::text from pg_class c where c.relkind = 'r'"
        " and c.relnamespace = 'public'::regnamespace"
    ).fetchall()
    for (table,) in tables:
        name = sql.SQL(table)
        for (row,) in connection.execute(sql.SQL("select t::text from {} t").format(name)):
            rows += 1
            hits += in_bytes(f"{database}.{table}", row.encode(), text)
    return hits, rows
