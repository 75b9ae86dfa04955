"""`troth events`: what happened, as CloudEvents; `--follow` never skips one."""

import json

import click

from cli import following
from cli.client import Api
from cli.output import json_option
from cli.problems import refusals_end_the_command

Filters = dict[str, str | None]


@click.command()
@click.option("--type", "types", metavar="TYPE", help="A type, or a beginning with * at its end.")
@click.option("--subject", help="Of one thing only.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 200))
@click.option("--follow", is_flag=True, help="Go on with what happens from now on, until Ctrl-C.")
@json_option
@refusals_end_the_command
def events(types: str | None, subject: str | None, limit: int, follow: bool, as_json: bool) -> None:
    """What happened, as CloudEvents; with --json one per line."""
    api = Api.of_caller()
    filters = {"type": types, "subject": subject}
    if not follow:
        latest(api, filters, limit, as_json)
        return
    try:
        go_on(api, filters, limit, as_json)
    except KeyboardInterrupt:
        raise SystemExit(0) from None


def latest(api: Api, filters: Filters, limit: int, as_json: bool) -> set[str]:
    """Shows the latest events, oldest first; gives their ids."""
    found = api.get("/v1/events", limit=limit, **filters)["data"][::-1]
    for event in found:
        say(event, as_json)
    return {event["id"] for event in found}


def go_on(api: Api, filters: Filters, limit: int, as_json: bool) -> None:
    """The stream is opened before the list is read: nothing falls between the two."""
    seen: set[str] | None = None
    for kind, event in following.follow(api, "/v1/events/stream", **filters):
        if seen is None:
            seen = latest(api, filters, limit, as_json)
        if kind == "reset":
            click.echo("some events are not known any more; what happens now follows", err=True)
        elif kind == "message" and event["id"] not in seen:
            say(event, as_json)


def say(event: dict, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(event, ensure_ascii=False))
        return
    subject = event.get("subject") or ""
    click.echo(f"{event['time']}  {event['type'].ljust(44)}  {subject}")
