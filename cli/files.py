"""`troth files`: send a file and get what stands for it in an input; read one."""

import sys
from pathlib import Path

import click

from cli.client import Api
from cli.output import json_option, say_json
from cli.problems import refusals_end_the_command

PIECE = 1 << 16


@click.group()
def files() -> None:
    """Values too large for an input: send a file, read one."""


@files.command("send")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--type", "media_type", metavar="MEDIA/TYPE", help="As its name says without it.")
@json_option
@refusals_end_the_command
def send(path: Path, media_type: str | None, as_json: bool) -> None:
    """Send a file; prints the value that stands for it in an input."""
    import mimetypes

    kind = media_type or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    headers = {"content-type": kind, "content-length": str(path.stat().st_size)}
    with path.open("rb") as content:
        pieces = iter(lambda: content.read(PIECE), b"")
        made = Api.of_caller().ask("POST", "/v1/files", content=pieces, headers=headers).json()
    say_json(made if as_json else made["value"])


@files.command("get")
@click.argument("file")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path),
              help="Where to; without it to standard output.")  # fmt: skip
@refusals_end_the_command
def get(file: str, output: Path | None) -> None:
    """Read a file."""
    headers = {"accept": "*/*"}
    content = Api.of_caller().ask("GET", f"/v1/files/{file}", headers=headers).content
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        output.write_bytes(content)
