"""Follows one execution to its end: its timeline as it happens."""

import sys
import time
from collections.abc import Iterator
from typing import Any

import click

from cli import following
from cli.client import Api, Refused
from cli.timeline import line_of, style_of


def follow(api: Api, execution: str) -> Iterator[dict[str, Any]]:
    """Each entry once, in order, as it comes; ends with the execution."""
    find(api, execution)
    for kind, entry in following.follow(api, f"/v1/executions/{execution}/stream"):
        if kind == "message":
            yield entry


def entries(api: Api, execution: str) -> Iterator[dict[str, Any]]:
    """The whole timeline, oldest first."""
    cursor = None
    while True:
        page = api.get(
            f"/v1/executions/{execution}/timeline", limit=200, order="asc", cursor=cursor
        )
        yield from page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def find(api: Api, execution: str) -> dict[str, Any]:
    """The execution; one that was promised just now may take a moment to be seen."""
    deadline = time.monotonic() + 5
    while True:
        try:
            return api.get(f"/v1/executions/{execution}")
        except Refused as refused:
            if refused.status != 404 or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def show(api: Api, execution: str) -> dict[str, Any]:
    """Prints the timeline live; gives the execution as it ended."""
    started_at = find(api, execution)["started_at"]
    colours = sys.stdout.isatty()
    for entry in follow(api, execution):
        line = line_of(entry, started_at)
        click.echo(click.style(line, fg=style_of(entry) or None) if colours else line)
        sys.stdout.flush()
    return find(api, execution)


def data_of(api: Api, execution: str) -> dict[str, Any] | None:
    """Input and output, None for those who may not see them."""
    try:
        return api.get(f"/v1/executions/{execution}/data")
    except Refused as refused:
        if refused.status != 403:
            raise
        return None
