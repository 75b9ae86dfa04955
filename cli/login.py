"""`troth login`: a session's token, or an API key, kept for the commands that follow."""

import os
import sys

import click

from cli.client import DEFAULT_URL, Api, SignedIn, keep
from cli.output import fail, json_option, say_json
from cli.problems import refusals_end_the_command


@click.command()
@click.option("--url", envvar="TROTH_URL", default=DEFAULT_URL, show_default=True,
              help="Address of the installation.")  # fmt: skip
@click.option("--email", envvar="TROTH_EMAIL", help="Asked for when it is not given.")
@click.option("--organization", help="Id or name; needed by those who are in several.")
@click.option("--token", help="An API key instead of e-mail and password ('-' reads it).")
@json_option
@refusals_end_the_command
def login(
    url: str, email: str | None, organization: str | None, token: str | None, as_json: bool
) -> None:
    """Sign in and keep the token for later commands.

    The password is asked for, or taken from TROTH_PASSWORD. The token is kept in
    ~/.config/troth (or $TROTH_CONFIG_DIR), readable by you only.
    """
    if token == "-":  # noqa: S105 - a dash is no token but asks for one
        token = sys.stdin.readline().strip()
    if token is None:
        email = email or click.prompt("E-mail", err=True)
        password = os.environ.get("TROTH_PASSWORD") or click.prompt(
            "Password", hide_input=True, err=True
        )
        opened = Api(url).post(
            "/v1/sessions", {"email": email, "password": password, "as": "token"}
        )
        token = opened["token"]
    assert token is not None, "a session that was just opened shows its token"
    me = Api(url, token, organization).get("/v1/me")
    chosen = _choose(me, organization)
    file = keep(SignedIn(url, token, chosen))
    if as_json:
        say_json({"url": url, "organization": chosen, "file": str(file), "me": me})
        return
    who = (me.get("person") or {}).get("email") or me.get("api_key")
    click.echo(f"signed in at {url} as {who}, organization {chosen or 'none yet'}")
    click.echo(f"kept in {file}")


def _choose(me: dict, wanted: str | None) -> str | None:
    """The organization of the commands to come."""
    found = [one["slug"] for one in me["organizations"]]
    ids = {one["id"]: one["slug"] for one in me["organizations"]}
    if wanted is not None:
        if wanted not in (*found, *ids):
            fail(f"you are not in an organization {wanted!r}; yours: {', '.join(found) or 'none'}")
        return ids.get(wanted, wanted)
    if len(found) > 1:
        fail(f"you are in several organizations; choose with --organization: {', '.join(found)}")
    return found[0] if found else None
