"""`troth reviews`: four eyes on a draft: asked for, listed, approved or rejected."""

import click

from cli.client import Api
from cli.output import facts, json_option, say_json, table
from cli.problems import refusals_end_the_command


@click.group(invoke_without_command=True)
@click.option("--status", default="requested", show_default=True,
              help="requested, approved, rejected, void, or `all`.")  # fmt: skip
@click.option("--workflow", help="Id or name.")
@json_option
@click.pass_context
@refusals_end_the_command
def reviews(context: click.Context, status: str, workflow: str | None, as_json: bool) -> None:
    """Drafts that wait for a second pair of eyes; ask for one, approve or reject it."""
    if context.invoked_subcommand is not None:
        return
    wanted = None if status == "all" else status
    page = Api.of_caller().get("/v1/reviews", status=wanted, workflow=workflow, limit=200)
    if as_json:
        say_json(page)
        return
    table(("REVIEW", "WORKFLOW", "DRAFT", "STATUS", "ASKED BY", "ASKED AT", "NOTE"), [
        (r["id"], r["workflow_name"], r["draft_version"], r["status"], r["requested_by"],
         r["requested_at"], r["note"])
        for r in page["data"]
    ])  # fmt: skip


@reviews.command("show")
@click.argument("review")
@json_option
@refusals_end_the_command
def show(review: str, as_json: bool) -> None:
    """One, and all that it covers. `troth workflows diff` shows what the draft changes."""
    shown = Api.of_caller().get(f"/v1/reviews/{review}")
    if as_json:
        say_json(shown)
        return
    calls = ", ".join(f"{c['name']} version {c['version']}" for c in shown["callees"])
    facts({
        "review": shown["id"], "workflow": shown["workflow_name"],
        "draft": shown["draft_version"], "status": shown["status"], "calls": calls or None,
        "secrets": ", ".join(shown["secrets"]) or None,
        "variables": ", ".join(shown["variables"]) or None,
        "asked by": shown["requested_by"], "asked at": shown["requested_at"],
        "note": shown["note"], "decided by": shown["decided_by"],
        "decided at": shown["decided_at"], "comment": shown["comment"],
    })  # fmt: skip


@reviews.command("request")
@click.argument("workflow")
@click.option("--note", help="What to look at.")
@json_option
@refusals_end_the_command
def request(workflow: str, note: str | None, as_json: bool) -> None:
    """Ask for a review of the draft as it stands."""
    api = Api.of_caller()
    draft = api.get(f"/v1/workflows/{workflow}")["draft"]
    body = {"draft_version": draft, "note": note}
    made = api.post(f"/v1/workflows/{workflow}/reviews", body)
    say_json(made) if as_json else click.echo(f"{made['id']} {made['status']}")


def _decides(verb: str, help: str) -> click.Command:
    @reviews.command(verb, help=help)
    @click.argument("review")
    @click.option("--comment", help="Why.")
    @json_option
    @refusals_end_the_command
    def decide(review: str, comment: str | None, as_json: bool) -> None:
        shown = Api.of_caller().post(f"/v1/reviews/{review}/{verb}", {"comment": comment})
        say_json(shown) if as_json else click.echo(f"{shown['id']} {shown['status']}")

    return decide


approve = _decides("approve", "The draft may be published as it is; not by who wrote it.")
reject = _decides("reject", "The draft may not be published as it is.")
