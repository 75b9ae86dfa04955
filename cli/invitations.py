"""`troth invitations`: who is invited to the organization; invite somebody, withdraw it."""

import click

from cli.client import Api
from cli.output import json_option, say_json, table
from cli.problems import refusals_end_the_command


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
@refusals_end_the_command
def invitations(context: click.Context, as_json: bool) -> None:
    """Who is invited and has not signed up yet."""
    if context.invoked_subcommand is not None:
        return
    page = Api.of_caller().get("/v1/invitations", limit=200)
    if as_json:
        say_json(page)
        return
    table(("INVITATION", "E-MAIL", "ROLE", "UNTIL"), [
        (i["id"], i["email"], i["role"], i["expires_at"]) for i in page["data"]
    ])  # fmt: skip


@invitations.command("create")
@click.argument("email")
@click.option("--role", default="viewer", show_default=True, help="Not above your own.")
@json_option
@refusals_end_the_command
def create(email: str, role: str, as_json: bool) -> None:
    """Invite an e-mail address. Nothing is sent: give the link on; it is shown this once."""
    api = Api.of_caller()
    made = api.post("/v1/invitations", {"email": email, "role": role})
    if as_json:
        say_json(made)
        return
    click.echo(f"{made['id']} until {made['expires_at']}")
    click.echo(f"{api.url.rstrip('/')}/join?token={made['token']}")


@invitations.command("withdraw")
@click.argument("invitation")
@json_option
@refusals_end_the_command
def withdraw(invitation: str, as_json: bool) -> None:
    """Its link is worth nothing from now on."""
    Api.of_caller().ask("DELETE", f"/v1/invitations/{invitation}")
    say_json({"id": invitation}) if as_json else click.echo(f"{invitation} withdrawn")
