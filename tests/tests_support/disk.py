"""What is really on a disk: tuples of heaps and indexes of PostgreSQL, and any file's bytes."""

import re
import struct
from collections.abc import Iterator
from pathlib import Path

PAGE, HEADER, NORMAL = 8192, 24, 1


def tuples(page: bytes) -> Iterator[bytes]:
    """What a page of a heap or B-tree holds, alive or dead; not what is left in its free space."""
    lower, _, special = struct.unpack_from("<HHH", page, 12)
    if not HEADER <= lower <= special <= PAGE:
        return
    for at in range(HEADER, lower, 4):
        (pointer,) = struct.unpack_from("<I", page, at)
        offset, flags, length = pointer & 0x7FFF, (pointer >> 15) & 3, pointer >> 17
        if flags == NORMAL and offset >= lower:
            yield page[offset : offset + length]


def relations(folder: Path, database: int) -> Iterator[Path]:
    """Files of tables and indexes, without the maps beside them."""
    for file in sorted((folder / "base" / str(database)).iterdir()):
        if re.fullmatch(r"\d+(\.\d+)?", file.name):
            yield file


def read(file: Path) -> bytes:
    """Nothing where a running server took the file away meanwhile."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def held(folder: Path, database: int, marks: list[bytes]) -> tuple[set[str], set[str]]:
    """Files in which a mark is part of a tuple; files in which one is left in free space."""
    in_tuples, in_space = set[str](), set[str]()
    for file in relations(folder, database):
        whole = read(file)
        if not any(mark in whole for mark in marks):
            continue
        pages = (whole[at : at + PAGE] for at in range(0, len(whole), PAGE))
        found = any(mark in one for page in pages for one in tuples(page) for mark in marks)
        (in_tuples if found else in_space).add(file.name)
    return in_tuples, in_space


def with_any(folder: Path, marks: list[bytes]) -> list[str]:
    """Files below a folder that hold a mark anywhere."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return [file.name for file in files if any(mark in read(file) for mark in marks)]
