"""`troth executions cancel|pause|resume|forget|effects`: one, or all that options name."""

import json
from collections.abc import Callable
from typing import Any

import click

from cli.client import Api
from cli.output import fail, json_option, length, say_json, table
from cli.problems import refusals_end_the_command

WAIT = "wait=60"


def for_many(function: Callable[..., Any]) -> Callable[..., Any]:
    """The execution, or options that say which ones."""
    options = (
        click.argument("execution", required=False),
        click.option("--workflow", help="Instead of one: all of this workflow (id or name)."),
        click.option("--status", help="One or several with commas: running,waiting,queued …"),
        click.option("--label", help="name:value"),
        click.option("--key", help="The value of the workflow's concurrency key."),
        click.option("--error-type", help="For those that failed so."),
        click.option("--dry-run", is_flag=True, help="Only say how many it would be."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.command("cancel")
@for_many
@click.option("--rollback", is_flag=True, help="Undo what it changed outside.")
@click.option("--reason", help="Recorded with it.")
@json_option
@refusals_end_the_command
def cancel(
    execution: str | None, rollback: bool, reason: str | None, dry_run: bool, as_json: bool,
    **filters: str | None,
) -> None:  # fmt: skip
    """Ask executions to end; what they do now is finished or cut."""
    body = {"rollback": rollback, "reason": reason}
    _carry_out("cancel", execution, filters, body, dry_run=dry_run, as_json=as_json)


@click.command("pause")
@for_many
@click.option("--reason", help="Recorded with it.")
@json_option
@refusals_end_the_command
def pause(
    execution: str | None, reason: str | None, dry_run: bool, as_json: bool, **filters: str | None
) -> None:
    """Hold executions before their next step."""
    body = {"reason": reason}
    _carry_out("pause", execution, filters, body, dry_run=dry_run, as_json=as_json)


@click.command("resume")
@for_many
@click.option("--decision", default="go-on", show_default=True,
              type=click.Choice(["go-on", "retry", "fail", "accept"]),
              help="What becomes of a step that paused it.")  # fmt: skip
@click.option("--value", help="With `accept`: the step's result as JSON.")
@json_option
@refusals_end_the_command
def resume(
    execution: str | None, decision: str, value: str | None, dry_run: bool, as_json: bool,
    **filters: str | None,
) -> None:  # fmt: skip
    """Let paused executions go on."""
    body: dict[str, Any] = {"decision": decision}
    if value is not None:
        try:
            body["value"] = json.loads(value)
        except ValueError as error:
            fail(f"--value is no JSON: {error}")
    _carry_out("resume", execution, filters, body, dry_run=dry_run, as_json=as_json)


def _carry_out(
    verb: str, execution: str | None, filters: dict[str, str | None], body: dict[str, Any], *,
    dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    given = {name: text.split(",") for name, text in filters.items() if text is not None}
    if (execution is None) is not bool(given):
        fail("name one execution, or say which ones by options (--workflow, --status …)")
    api = Api.of_caller()
    if execution is not None:
        shown = api.post(f"/v1/executions/{execution}/{verb}", body)
        say_json(shown) if as_json else click.echo(f"{shown['id']} {shown['status']}")
        return
    body |= {"filter": given, "dry_run": dry_run}
    said = api.post(f"/v1/executions/{verb}", body, prefer=WAIT)
    if as_json:
        say_json(said)
    elif dry_run:
        click.echo(f"{said['count']} executions")
    else:
        _operation(said)


def _operation(said: dict[str, Any]) -> None:
    result = said["result"] or {"refused": 0, "refusals": {}}
    click.echo(f"{said['id']} {said['status']}: {said['done']} of {said['total']}")
    for code, count in result["refusals"].items():
        click.echo(f"  {count} refused: {code}")


@click.command("forget")
@click.argument("execution")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@refusals_end_the_command
def forget(execution: str, yes: bool, as_json: bool) -> None:
    """Forget an execution that has ended: nobody sees it from then on, for good."""
    if not yes:
        click.confirm(f"Forget {execution} for good?", abort=True, err=True)
    Api.of_caller().ask("DELETE", f"/v1/executions/{execution}")
    say_json({"id": execution}) if as_json else click.echo(f"{execution} forgotten")


@click.command("effects")
@click.argument("execution")
@json_option
@refusals_end_the_command
def effects(execution: str, as_json: bool) -> None:
    """What an execution changed outside, with keys, attempts, and what was undone."""
    api = Api.of_caller()
    found: list[Any] = []
    cursor: str | None = None
    while True:
        page = api.get(f"/v1/executions/{execution}/effects", limit=200, cursor=cursor)
        found += page["data"]
        if (cursor := page["next_cursor"]) is None:
            break
    if as_json:
        say_json(found)
        return
    table(("STEP", "HOST", "EFFECT", "OUTCOME", "STATUS", "TRIES", "TOOK", "UNDO"), [
        (e["step"], e["host"], e["effect"], e["outcome"] or "under way", _last(e, "status"),
         len(e["attempts"]), length(_last(e, "duration_ms")), _undo(e["undo"]))
        for e in found
    ])  # fmt: skip


def _last(effect: dict[str, Any], name: str) -> Any:
    return effect["attempts"][-1][name] if effect["attempts"] else None


def _undo(undo: dict[str, Any]) -> str:
    return f"{undo['state']} ({undo['error']})" if undo["error"] else undo["state"]
