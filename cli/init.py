"""`troth init`: a first workflow file to change."""

import re
from pathlib import Path

import click

from cli.output import fail, json_option, say_json

TEMPLATE = Path(__file__).with_name("hello.yaml")


@click.command()
@click.argument("file", default="hello.yaml", type=click.Path(path_type=Path))
@json_option
def init(file: Path, as_json: bool) -> None:
    """Write an example workflow file; its name becomes the workflow's name."""
    name = file.stem
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,62}", name):
        fail(f"{name!r} can't be a workflow's name: a to z, 0 to 9 and -, beginning with a letter")
    text = TEMPLATE.read_text().replace("name: hello\n", f"name: {name}\n", 1)
    text = text.replace("path: hello,", f"path: {name},", 1)
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        fail(f"{file} is there already; choose another name")
    except OSError as error:
        fail(f"{file} can't be written: {error}")
    if as_json:
        say_json({"file": str(file), "name": name})
        return
    click.echo(f"wrote {file}. Next:\n  troth apply {file}\n  "
               f"troth run {name} --input '{{\"name\": \"Ada\"}}'")  # fmt: skip
