"""What the demo says: few lines, with colours only on a terminal."""

import sys

import click


class Teller:
    """At most forty lines in all; `part` is for servers and processes that come up."""

    def __init__(self) -> None:
        self._colours = sys.stdout.isatty()

    def say(self, line: str, colour: str | None = None) -> None:
        click.echo(click.style(line, fg=colour) if self._colours and colour else line)
        sys.stdout.flush()

    def part(self, line: str) -> None:
        self.say(f"  {line}")

    def head(self, line: str) -> None:
        click.echo(click.style(line, bold=True) if self._colours else line)
        sys.stdout.flush()
