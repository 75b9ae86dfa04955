"""`troth approvals`: what waits for a person, and what they decide."""

import json
from typing import Any

import click

from cli.client import Api
from cli.output import facts, fail, json_option, say_json, table
from cli.problems import refusals_end_the_command


@click.group(invoke_without_command=True)
@click.option("--status", default="pending", show_default=True, help="Or `all`.")
@click.option("--workflow", help="Id or name.")
@json_option
@click.pass_context
@refusals_end_the_command
def approvals(context: click.Context, status: str, workflow: str | None, as_json: bool) -> None:
    """What waits for you; approve or reject it."""
    if context.invoked_subcommand is not None:
        return
    wanted = None if status == "all" else status
    page = Api.of_caller().get("/v1/approvals", status=wanted, workflow=workflow, limit=200)
    if as_json:
        say_json(page)
        return
    table(("APPROVAL", "EXECUTION", "STEP", "STATUS", "SAID", "OF", "UNTIL", "MESSAGE"), [
        (a["id"], a["execution"], a["step"], a["status"], a["decisions_count"], a["quorum"],
         a["due_at"], a["message"])
        for a in page["data"]
    ])  # fmt: skip


@approvals.command("show")
@click.argument("approval")
@json_option
@refusals_end_the_command
def show(approval: str, as_json: bool) -> None:
    """One, with what it is about and who said what."""
    shown = Api.of_caller().get(f"/v1/approvals/{approval}")
    if as_json:
        say_json(shown)
        return
    facts({
        "approval": shown["id"], "execution": shown["execution"], "step": shown["step"],
        "status": shown["status"], "asked": ", ".join(shown["by"]), "quorum": shown["quorum"],
        "until": shown["due_at"], "message": shown["message"], "input": shown["input"],
        "input version": shown["input_version"],
        "said": ", ".join(
            f"{d['by']} {d['decision']}" + (" another input" if d["changed"] else "")
            for d in shown["decisions"]
        ) or None,
    })  # fmt: skip


def _decides(verb: str, help: str) -> click.Command:
    @approvals.command(verb, help=help)
    @click.argument("approval")
    @click.option("--comment", help="Kept with it, for those who may read payloads.")
    @click.option("--input", "changed", help="What is approved instead, as JSON.")
    @click.option("--input-version", type=int, help="Only if this is still the input's version.")
    @json_option
    @refusals_end_the_command
    def decide(
        approval: str, comment: str | None, changed: str | None, input_version: int | None,
        as_json: bool,
    ) -> None:  # fmt: skip
        body: dict[str, Any] = {"comment": comment, "input_version": input_version}
        if changed is not None:
            try:
                body["input"] = json.loads(changed)
            except ValueError as error:
                fail(f"--input is no JSON: {error}")
        shown = Api.of_caller().post(f"/v1/approvals/{approval}/{verb}", body)
        if as_json:
            say_json(shown)
            return
        said = f"{shown['decisions_count']} of {shown['quorum']} approve"
        click.echo(f"{shown['id']} {shown['status']}; {said}")

    return decide


approve = _decides("approve", "Say yes.")
reject = _decides("reject", "Say no; one is enough.")
