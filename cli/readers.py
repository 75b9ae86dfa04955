"""`troth readers`: how far each reader is, what stopped it, and how to go on behind an event."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.output import fail, json_option, say_json, table

if TYPE_CHECKING:
    from cli.store import Stores

RETRY_WITHIN_S = 20.0
RELAY = "relay"
DEFAULT = Path(".troth")


@dataclass(frozen=True)
class ReaderShown:
    """`lag` is None while the producer's database does not answer."""

    reader: str
    producer: str
    position: int
    head: int | None
    lag: int | None
    stopped_at: int | None
    error: str | None
    skipped: int | None

    @property
    def how(self) -> str:
        if self.stopped_at is not None or self.error:
            return f"stopped: {self.error}"
        return "ok" if not self.lag else f"{self.lag} behind"


data_option = click.option(
    "--data", default=DEFAULT, show_default=True, type=click.Path(path_type=Path),
    help="Folder of the installation.",
)  # fmt: skip


@click.group(invoke_without_command=True)
@data_option
@json_option
@click.pass_context
def readers(context: click.Context, data: Path, as_json: bool) -> None:
    """How far each reader is, and what stopped it. Exit code 1 when one is stopped."""
    if context.invoked_subcommand is not None:
        context.obj = data
        return
    shown = find(data)
    if as_json:
        say_json([asdict(reader) | {"how": reader.how} for reader in shown])
    else:
        rows = [(r.reader, r.producer, r.position, r.head, r.lag, r.how) for r in shown]
        table(("READER", "READS", "POSITION", "HEAD", "LAG", "HOW"), rows)
        for reader in shown:
            if reader.stopped_at is not None:
                command = skip_command(reader.reader, data)
                click.echo(f"go on behind event {reader.stopped_at}: {command}", err=True)
    raise SystemExit(1 if any(reader.stopped_at is not None for reader in shown) else 0)


def skip_command(reader: str, data: Path) -> str:
    """What to type to go on behind the event at which a reader stopped."""
    where = "" if data == DEFAULT else f" --data {data}"
    return f"troth readers skip {reader} --reason '…'{where}"


@readers.command("skip")
@click.argument("name")
@click.option("--data", "own", type=click.Path(path_type=Path), help="Folder of the installation.")
@click.option("--reason", required=True, help="Why; recorded, sealed, in an event.")
@json_option
@click.pass_obj
def skip(data: Path, name: str, own: Path | None, reason: str, as_json: bool) -> None:
    """Let a stopped reader go on behind the event that stopped it.

    NAME is as `troth readers` shows it. The event stays in the log; that it was skipped, and why,
    is an event as well.
    """
    from cli.skipping import record_skip
    from cli.store import Stores

    data = own or data
    reader = next((r for r in find(data) if r.reader == name), None)
    if reader is None:
        fail(f"there is no reader {name!r}; `troth readers` lists them")
    if reader.stopped_at is None:
        fail(f"{name} is not stopped: there is nothing to skip")
    service, _, short = name.partition(".")
    record_skip(Stores(data), service, short, reader.stopped_at, reason)
    moved = _moved_on(data, name, reader.stopped_at)
    if as_json:
        say_json({"reader": name, "skipped": reader.stopped_at, "moved_on": moved})
        return
    went = "it goes on" if moved else "it will go on when its process runs"
    click.echo(f"{name}: event {reader.stopped_at} is skipped and that is recorded; {went}")


def find(data: Path) -> list[ReaderShown]:
    """All readers of all services; ends the command when the databases do not answer."""
    from cli.store import NotThere, Stores

    try:
        return find_in(Stores(data))
    except NotThere as error:
        fail(str(error))


def find_in(stores: "Stores") -> list[ReaderShown]:
    from cli.expected import known_readers
    from cli.store import NotThere

    producers = known_readers(stores.data)
    if not producers:
        raise NotThere(f"{stores.data} was never started: there are no readers yet")
    heads = {service: _head(stores, service) for service in producers}
    return [
        reader
        for service, known in producers.items()
        for reader in _readers_of(stores, service, dict(known), heads)
    ]


def _head(stores: "Stores", service: str) -> int:
    with stores.read(service) as connection:
        row = connection.execute("select coalesce(max(n), 0) from heads").fetchone()
        return row[0] if row else 0


def _readers_of(
    stores: "Stores", service: str, producers: Mapping[str, str], heads: Mapping[str, int]
) -> list[ReaderShown]:
    with stores.read(service) as connection:
        rows = connection.execute(
            "select name, n, stopped_at, error, skip from readers order by name"
        ).fetchall()
    shown = []
    for name, n, stopped_at, error, skipped in rows:
        producer = producers.get(name, service if name == RELAY else None)
        if producer is None:
            continue  # of an older version of the code; a migration drops its tables, not its row
        head = heads.get(producer)
        lag = None if head is None else max(0, head - n)
        shown.append(
            ReaderShown(f"{service}.{name}", producer, n, head, lag, stopped_at, error, skipped)
        )
    return shown


def _moved_on(data: Path, name: str, beyond: int) -> bool:
    """The reader looks again every few seconds."""
    from cli.store import Stores

    if Stores(data).state is None:
        return False
    deadline = time.monotonic() + RETRY_WITHIN_S
    while time.monotonic() < deadline:
        if next(r for r in find(data) if r.reader == name).position >= beyond:
            return True
        time.sleep(0.2)
    return False
