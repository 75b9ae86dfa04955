"""`troth events`: what happened, as CloudEvents; `--follow` never skips one."""

import json
import time

import click

from cli.client import Api
from cli.output import json_option
from cli.problems import refusals_end_the_command

POLL_S = 0.5


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
    page = api.get("/v1/events", limit=limit, **filters)
    latest = page["data"][::-1]
    for event in latest:
        say(event, as_json)
    if not follow:
        return
    seen = {event["id"] for event in latest}
    since = latest[-1]["time"] if latest else None
    try:
        _go_on(api, filters, since, seen, as_json)
    except KeyboardInterrupt:
        raise SystemExit(0) from None


def _go_on(
    api: Api, filters: dict[str, str | None], since: str | None, seen: set[str], as_json: bool
) -> None:
    """Polls oldest first; the cursor of the last full page never skips what commits late."""
    cursor: str | None = None
    while True:
        page = api.get(
            "/v1/events", limit=200, order="asc", cursor=cursor,
            **(filters | {"from": since}),
        )  # fmt: skip
        for event in page["data"]:
            if event["id"] not in seen:
                seen.add(event["id"])
                say(event, as_json)
        if page["next_cursor"] is not None:
            cursor = page["next_cursor"]
        if len(page["data"]) < 200:
            time.sleep(POLL_S)


def say(event: dict, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(event, ensure_ascii=False))
        return
    subject = event.get("subject") or ""
    click.echo(f"{event['time']}  {event['type'].ljust(44)}  {subject}")
