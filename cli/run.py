"""`troth run`: starts a workflow by hand and watches it to its end."""

import json
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from cli import watch
from cli.client import Api, Refused
from cli.output import fail, json_option, say_json
from cli.problems import refusals_end_the_command
from cli.timeline import ending

EXIT = {"succeeded": 0, "failed": 1, "cancelled": 3}


@click.command()
@click.argument("workflow")
@click.option("--input", "given", metavar="JSON|@FILE", help="What the workflow gets.")
@click.option("--version", type=int, help="A published version; the newest without it.")
@click.option("--key", help="Idempotency key: the same key starts nothing a second time.")
@click.option("--no-wait", is_flag=True, help="Start it and leave.")
@json_option
@refusals_end_the_command
def run(workflow: str, given: str | None, version: int | None, key: str | None, no_wait: bool,
        as_json: bool) -> None:  # fmt: skip
    """Start a workflow and watch it to its end.

    Exit code 0: succeeded, 1: failed, 3: cancelled. Ctrl-C ends the watching only.
    """
    api = Api.of_caller()
    body = {"input": input_of(given), "version": version}
    headers = {"idempotency-key": key} if key else {}
    try:
        execution = id_of(api.post(f"/v1/workflows/{workflow}/executions", body, **headers))
    except Refused as refused:
        if refused.status == 404 and version is None:
            fail(unknown(api, workflow))
        raise
    if no_wait:
        say_json({"execution": execution}) if as_json else click.echo(execution)
        return
    try:
        ended = finish(api, execution, as_json)
    except KeyboardInterrupt:
        click.echo(f"\nit goes on without you: troth executions show {execution}", err=True)
        raise SystemExit(130) from None
    raise SystemExit(EXIT[ended["status"]])


def finish(api: Api, execution: str, as_json: bool) -> dict[str, Any]:
    """Watches, then shows the output to those who may see it."""
    if as_json:
        for _ in watch.follow(api, execution):
            pass
        ended = watch.find(api, execution)
        data = watch.data_of(api, execution) or {}
        say_json({"execution": ended, "output": data.get("output"), "error": data.get("error")})
        return ended
    click.echo(execution)
    ended = watch.show(api, execution)
    click.echo(ending(ended))
    data = watch.data_of(api, execution)
    if data is None:
        click.echo("(the output needs the permission payloads:read)")
    elif ended["status"] == "succeeded":
        click.echo(json.dumps(data["output"], ensure_ascii=False, indent=2))
    elif data.get("error"):
        click.echo(data["error"])
    return ended


def input_of(given: str | None, option: str = "--input") -> Any:
    """JSON from the command line, or from a file behind `@`."""
    if given is None:
        return {}
    text, where = given, option
    if given.startswith("@"):
        where = given[1:]
        try:
            text = Path(where).read_text(encoding="utf-8")
        except OSError as error:
            fail(f"{where} can't be read: {error.strerror}", 2)
    try:
        return json.loads(text)
    except ValueError as error:
        fail(f"{where} is no JSON: {error}", 2)


def unknown(api: Api, workflow: str) -> str:
    """What there is instead."""
    names = [found["name"] for found in api.get("/v1/workflows", limit=200)["data"]]
    near = get_close_matches(workflow, names, n=1)
    if near:
        return f"there is no published workflow {workflow!r}; did you mean {near[0]!r}?"
    known = ", ".join(names[:10]) or "none yet; `troth init` and `troth apply` make one"
    return f"there is no published workflow {workflow!r}; there are: {known}"


def id_of(started: dict[str, Any]) -> str:
    """The execution of an answer to a start, whether it shows the thing or names it."""
    return started.get("execution") or started["id"]
