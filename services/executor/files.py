"""Files in the store: pieces come in, become a file, are referred to, and are read.

A reference is written before what refers to it is committed, and touches the file in the same
transaction; so `collector.py` never takes one that somebody is about to use.
"""

from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import ids
from libs.common.chunks import PIECE_BYTES, Cutter, open_piece, seal_piece
from libs.common.errors import Conflict, NotFound
from libs.common.messages import Meta
from libs.common.service import Service
from services.executor.contract import (
    FILE_BYTES_MAX,
    SERVICE,
    FileMissing,
    FilesFull,
    FileStored,
    StoreFile,
    StorePiece,
    file_stream,
)
from services.executor.file_tables import files, pieces, references
from services.executor.file_values import value_of
from services.executor.masking import MaskedBytes
from services.executor.noted import NOTED
from services.executor.work import PURPOSE


def stored(said: StoreFile) -> FileStored:
    return FileStored(file_id=said.file, media_type=said.media_type, size_bytes=said.size_bytes)


class Files:
    """One per process; `limit_bytes` is what an organization may keep."""

    def __init__(self, service: Service, limit_bytes: int) -> None:
        self.service, self._limit_bytes = service, limit_bytes

    # -- in ---------------------------------------------------------------------------------

    async def put(self, org: str, piece: StorePiece) -> None:
        """Raises FilesFull with the first piece of what has no place."""
        row = {
            "org": org, "upload": piece.upload, "number": piece.number, "body": piece.body,
        }  # fmt: skip
        async with self.service.database.work() as db:
            if piece.number == 0:
                await self._room(db, org)
            await db.execute(insert(pieces).values(row).on_conflict_do_nothing())

    async def _room(self, db: AsyncConnection, org: str) -> None:
        count = select(func.count()).where(pieces.c.org == org)
        if (await db.execute(count)).scalar_one() * PIECE_BYTES >= self._limit_bytes:
            raise FilesFull(
                f"the organization's files have {self._limit_bytes} bytes already",
                limit_bytes=self._limit_bytes,
            )

    async def whole(
        self, db: AsyncConnection, org: str, said: StoreFile, execution: str | None = None
    ) -> None:
        """Makes a file of the pieces; one that is there is touched, and its new pieces go.

        With `execution` that refers to it from the same transaction on.
        """
        f = files.c
        row = {
            "org": org, "file": said.file, "media_type": said.media_type,
            "size_bytes": said.size_bytes, "upload": said.upload, "pieces": said.pieces,
        }  # fmt: skip
        mine = (pieces.c.upload == said.upload) & (pieces.c.org == org)
        there = (await db.execute(select(func.count()).where(mine))).scalar_one()
        done = await db.execute(
            insert(files).values(row)
            .on_conflict_do_update(index_elements=[f.org, f.file],
                                   set_={"touched_at": func.wall_clock()})
            .returning(f.upload)
        )  # fmt: skip
        if done.scalar_one() != said.upload:
            await db.execute(delete(pieces).where(mine))
        elif there != said.pieces:
            raise Conflict("pieces of the upload are missing; send it again")
        if execution is not None:
            await _refer(db, org, execution, [said.file])

    # -- referred to ------------------------------------------------------------------------

    async def refer(
        self, org: str, execution: str, names: frozenset[str], *, all_there: bool = False
    ) -> None:
        """From now on the execution keeps these files. With `all_there` raises FileMissing."""
        if not names:
            return
        async with self.service.database.work() as db:
            found = await _refer(db, org, execution, sorted(names))
        if all_there and (missing := sorted(names - found)):
            raise FileMissing(f"there is no file {missing[0]}", file=missing[0])

    async def refer_as(self, org: str, other: str, execution: str, names: frozenset[str]) -> None:
        """To all that the other execution refers to, and to these."""
        mine = (references.c.org == org) & (references.c.execution == other)
        async with self.service.database.work() as db:
            found = (await db.execute(select(references.c.file).where(mine))).scalars()
            await _refer(db, org, execution, sorted({*found, *names}))

    # -- out --------------------------------------------------------------------------------

    async def find(self, org: str, file: str) -> Any:
        """Raises NotFound, also for another organization's."""
        async with self.service.database.read(org) as db:
            row = (await db.execute(select(files).where(files.c.file == file))).one_or_none()
        if row is None:
            raise NotFound()
        return row

    async def piece(self, org: str, upload: str, number: int) -> str:
        mine = (pieces.c.upload == upload) & (pieces.c.number == number)
        async with self.service.database.read(org) as db:
            body = (await db.execute(select(pieces.c.body).where(mine))).scalar_one_or_none()
        if body is None:
            raise NotFound()
        return body


async def _refer(db: AsyncConnection, org: str, execution: str, names: list[str]) -> set[str]:
    """Those that are there, and of this organization."""
    there = files.c.file.in_(names) & (files.c.org == org)
    touched = await db.execute(
        update(files).where(there).values(touched_at=func.wall_clock()).returning(files.c.file)
    )
    found = set(touched.scalars())
    rows = [{"org": org, "file": file, "execution": execution} for file in sorted(found)]
    if rows:
        await db.execute(
            insert(references).values(rows).on_conflict_do_update(
                index_elements=list(references.primary_key), set_={"at": func.wall_clock()}
            )
        )  # fmt: skip
    return found


class FilesOf:
    """The files that one execution's connector reads and stores; what is hidden is masked."""

    def __init__(self, store: Files, org: str, execution: str, hidden: list[str]) -> None:
        self._store, self._org, self._execution = store, org, execution
        self._hidden = hidden

    async def find(self, file: str) -> Any:
        return await self._store.find(self._org, file)

    async def read(self, row: Any) -> AsyncIterator[bytes]:
        """The content, piece by piece."""
        key = await self._store.service.keys.key(self._org, PURPOSE)
        stream = file_stream(self._org, row.upload)
        for number in range(row.pieces):
            sealed = await self._store.piece(self._org, row.upload, number)
            yield open_piece(key, stream, number, sealed)

    def writer(self) -> "Writer":
        return Writer(self._store, self._org, self._execution, MaskedBytes(self._hidden))


class Writer:
    """Takes a content as it comes; `close` makes it a file that the execution refers to."""

    def __init__(self, store: Files, org: str, execution: str, masked: MaskedBytes) -> None:
        self._store, self._org, self._execution = store, org, execution
        self._masked = masked
        self._cutter = Cutter(FILE_BYTES_MAX)
        self._upload = ids.new("upl")

    async def write(self, data: bytes) -> None:
        """Raises TooManyBytes, FilesFull."""
        await self._put(self._cutter.feed(self._masked.feed(data)))

    async def close(self, media_type: str) -> dict[str, Any]:
        """The value that stands for it."""
        await self._put(self._cutter.feed(self._masked.rest()))
        await self._put(self._cutter.rest())
        key = await self._store.service.keys.key(self._org, PURPOSE)
        cut = self._cutter
        said = StoreFile(
            upload=self._upload, file=f"file_{cut.address(key, media_type)}",
            media_type=media_type, size_bytes=cut.size, pieces=cut.count,
        )  # fmt: skip

        async def beside(db: AsyncConnection) -> None:
            await self._store.whole(db, self._org, said, self._execution)

        await self._store.service.store.execute(
            NOTED, file_stream(self._org, said.file), [stored(said)],
            Meta.system(SERVICE, self._org), beside=beside,
        )  # fmt: skip
        self._store.service.appended()
        return value_of(said.file, media_type, cut.size)

    async def _put(self, full: list[tuple[int, bytes]]) -> None:
        key = await self._store.service.keys.key(self._org, PURPOSE)
        stream = file_stream(self._org, self._upload)
        for number, piece in full:
            sealed = seal_piece(key, stream, number, piece)
            made = StorePiece(upload=self._upload, number=number, body=sealed)
            await self._store.put(self._org, made)
