"""`troth executions`: what ran, and what happened in one."""

import json
from typing import Any

import click

from cli import watch
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
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 200))
@json_option
@refusals_end_the_command
def list_(
    workflow: str | None = None, status: str | None = None, limit: int = 20, as_json: bool = False
) -> None:
    """The newest executions."""
    api = Api.of_caller()
    page = api.get(
        "/v1/executions", workflow=workflow, status=status, limit=limit, expand="workflow"
    )
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
        "status": shown["status"], "started": shown["started_at"], "ended": shown["ended_at"],
        "took": length(shown["duration_ms"]), "waits for": shown["waiting_for"],
        "due": shown["due_at"], "error": (shown["error"] or {}).get("type"),
    })  # fmt: skip
    click.echo()
    for entry in timeline:
        click.echo(line_of(entry, shown["started_at"]))


@executions.command("cancel")
@click.argument("execution")
@click.option("--reason", help="Recorded with it.")
@json_option
@refusals_end_the_command
def cancel(execution: str, reason: str | None, as_json: bool) -> None:
    """Ask an execution to end; what it does now is finished or cut."""
    body = {"rollback": False, "reason": reason}
    shown = Api.of_caller().post(f"/v1/executions/{execution}/cancel", body)
    say_json(shown) if as_json else click.echo(f"{shown['id']} {shown['status']}")
