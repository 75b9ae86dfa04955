"""`troth retention`: what each rule's sweep did last, and for how long anything is overdue."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.output import fail, json_option, say_json, table
from cli.readers import data_option

if TYPE_CHECKING:
    from cli.store import Stores


@dataclass(frozen=True)
class SweepShown:
    """`lag_s`: for how long the oldest row that should be gone is overdue; `since_s`: since the
    last turn."""

    rule: str
    since_s: int
    gone: int
    lag_s: int
    error: str | None

    @property
    def how(self) -> str:
        if self.error:
            return f"failed: {self.error}"
        return "ok" if not self.lag_s else f"overdue for {timedelta(seconds=self.lag_s)}"


@click.command()
@data_option
@json_option
def retention(data: Path, as_json: bool) -> None:
    """What each rule of retention did last. Exit code 1 when a sweep failed."""
    from cli.store import NotThere, Stores

    try:
        shown = find_in(Stores(data))
    except NotThere as error:
        fail(str(error))
    if as_json:
        say_json([asdict(sweep) | {"how": sweep.how} for sweep in shown])
    else:
        rows = [(s.rule, timedelta(seconds=s.since_s), s.gone, s.how) for s in shown]
        table(("RULE", "LAST TURN", "GONE", "HOW"), rows)
    raise SystemExit(1 if any(sweep.error for sweep in shown) else 0)


def find_in(stores: "Stores") -> list[SweepShown]:
    """By the clock of the installation, whether or not it is moved."""
    from cli.expected import known_readers
    from cli.store import NotThere
    from libs.common import clock

    services = known_readers(stores.data)
    if not services:
        raise NotThere(f"{stores.data} was never started: no rule was applied yet")
    offset_s = clock.offset_s if stores.state is None else stores.state.clock_offset_s
    shown: list[SweepShown] = []
    for service in services:
        with stores.read(service) as connection:
            rows = connection.execute(
                "select rule, extract(epoch from clock_timestamp() - at)::float8, gone,"
                " extract(epoch from clock_timestamp() - overdue)::float8, error"
                " from sweeps order by rule"
            ).fetchall()
        shown += [
            SweepShown(
                f"{service}.{rule}", max(0, int(since + offset_s)), gone,
                0 if late is None else max(0, int(late + offset_s)), error,
            )
            for rule, since, gone, late, error in rows
        ]  # fmt: skip
    return shown
