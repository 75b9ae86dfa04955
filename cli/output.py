"""What commands print: tables for people, JSON for programs, plain text without a terminal."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
SHORT = "…"


def json_option(function: F) -> F:
    """`--json`, the same everywhere; the parameter is named `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(
        function
    )


def say_json(value: Any) -> None:
    """One JSON value; a line of its own when it is not for a person's eyes."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Columns under their names; colours and cut lines only on a terminal."""
    cells = [[text_of(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for line in plain_table(columns, cells):
            click.echo(line)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        shown.add_column(name, overflow="fold")
    for row in cells:
        shown.add_row(*(Text(cell, style=style_of(cell)) for cell in row))
    Console(highlight=False).print(shown)


def plain_table(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    """Lines whose columns begin under each other; nothing is cut."""
    rows = [list(columns), *cells]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def facts(pairs: Mapping[str, Any]) -> None:
    """Name and value, one below the other."""
    width = max(map(len, pairs), default=0)
    for name, value in pairs.items():
        click.echo(f"{name.ljust(width)}  {text_of(value)}")


def text_of(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else " " for c in str(value))


STYLES = {
    **dict.fromkeys(("succeeded", "ok", "done", "yes", "ready"), "green"),
    **dict.fromkeys(("failed", "wrong", "stopped"), "red"),
    **dict.fromkeys(("waiting", "running", "queued", "cancelled", "look"), "yellow"),
}


def style_of(cell: str) -> str:
    return STYLES.get(cell.partition(" ")[0], "")


def fail(text: str, code: int = 1) -> NoReturn:
    """Ends the command with a sentence that says what to do."""
    click.echo(f"troth: {text}", err=True)
    raise SystemExit(code)


def length(milliseconds: float | None) -> str:
    """A length of time as a person reads it."""
    if milliseconds is None:
        return "-"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
