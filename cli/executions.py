"""`troth executions`: what ran, what happened in one, and what a person does about it."""

import json
from typing import Any

import click

from cli import controls, watch
from cli.client import Api
from cli.output import facts, json_option, length, say_json, table
from cli.problems import refusals_end_the_command
from cli.timeline import ending, line_of


@click.group(invoke_without_command=True)
@click.pass_context
def executions(context: click.Context) -> None:
    """List executions (without a subcommand, too), show one."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@executions.command("list")
@click.option("--workflow", help="Id or name.")
@click.option("--status", help="One or several with commas: running,waiting,failed …")
@click.option("--key", help="The value of the workflow's concurrency key.")
@click.option("--search", help="Words in the text of an error.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 200))
@json_option
@refusals_end_the_command
def list_(
    workflow: str | None = None, status: str | None = None, key: str | None = None,
    search: str | None = None, limit: int = 20, as_json: bool = False,
) -> None:  # fmt: skip
    """The newest executions."""
    api = Api.of_caller()
    page = api.get(
        "/v1/executions", workflow=workflow, status=status, key=key, q=search, limit=limit,
        expand="workflow",
    )  # fmt: skip
    if as_json:
        say_json(page)
        return
    rows = [
        (e["id"], name_of(e["workflow"]), e["version"], e["status"], e["trigger"]["kind"],
         e["started_at"], length(e["duration_ms"]), (e["error"] or {}).get("type"))
        for e in page["data"]
    ]  # fmt: skip
    columns = ("EXECUTION", "WORKFLOW", "VERSION", "STATUS", "BY", "STARTED", "TOOK", "ERROR")
    table(columns, rows)


def name_of(workflow: Any) -> str:
    """Its name; the id of one that can't be seen."""
    return workflow["name"] if isinstance(workflow, dict) else workflow


@executions.command("show")
@click.argument("execution")
@click.option("--data", is_flag=True, help="Input and output too.")
@click.option("--follow", is_flag=True, help="Wait for its end.")
@json_option
@refusals_end_the_command
def show(execution: str, data: bool, follow: bool, as_json: bool) -> None:
    """One execution with its timeline."""
    api = Api.of_caller()
    if follow and not as_json:
        click.echo(ending(watch.show(api, execution)))
    else:
        _show_now(api, execution, as_json, data)
        if as_json:
            return
    if data:
        found = api.get(f"/v1/executions/{execution}/data")
        for name in ("input", "output", "error"):
            click.echo(f"{name}: {json.dumps(found.get(name), ensure_ascii=False, indent=2)}")


def _show_now(api: Api, execution: str, as_json: bool, data: bool) -> None:
    shown = api.get(f"/v1/executions/{execution}")
    timeline = list(watch.entries(api, execution))
    if as_json:
        more = {"data": api.get(f"/v1/executions/{execution}/data")} if data else {}
        say_json({"execution": shown, "timeline": timeline} | more)
        return
    facts({
        "execution": shown["id"], "workflow": f"{shown['workflow']} version {shown['version']}",
        "status": _status(shown), "started": shown["started_at"], "ended": shown["ended_at"],
        "took": length(shown["duration_ms"]), "waits for": shown["waiting_for"],
        "due": shown["due_at"], **_error(shown["error"]),
    })  # fmt: skip
    click.echo()
    for entry in timeline:
        click.echo(line_of(entry, shown["started_at"]))


def _status(shown: dict[str, Any]) -> str:
    why = shown["queued_for"]
    return f"{shown['status']} for {why}" if why else shown["status"]


def _error(error: dict[str, Any] | None) -> dict[str, Any]:
    """Which step, which attempt, and what to do about it."""
    if error is None:
        return {"error": None}
    where = f" in {error['step']}" if error["step"] else ""
    tries = f", attempt {error['attempts']}" if error["attempts"] else ""
    status = f", status {error['status']}" if error["status"] else ""
    return {"error": f"{error['type']}{where}{tries}{status}", "what to do": error["remedy"]}


for command in (
    controls.cancel, controls.pause, controls.resume, controls.forget, controls.effects,
):  # fmt: skip
    executions.add_command(command)
