"""`troth audit siem`: the trail, carried live to a SIEM."""

import json
from typing import Any

import click

from cli.client import Api
from cli.output import facts, json_option, say_json, table
from cli.problems import refusals_end_the_command

STREAMS = "/v1/audit/siem-streams"
MERGE = "application/merge-patch+json"
FORMATS = click.Choice(["ocsf", "jsonl"])
HEADERS = click.Choice(["authorization", "dd-api-key", "x-api-key"])


@click.group(invoke_without_command=True)
@click.option("--trail", help="The instance's, for its operator; else the organization's own.")
@json_option
@click.pass_context
@refusals_end_the_command
def siem(context: click.Context, trail: str | None, as_json: bool) -> None:
    """Where the trail is carried live."""
    if context.invoked_subcommand is not None:
        return
    page = Api.of_caller().get(STREAMS, trail=trail, limit=200)
    if as_json:
        say_json(page)
        return
    table(("STREAM", "FORMAT", "URL", "LOSS WINDOW", "SINCE"), [
        (s["id"], s["format"], s["url"], f"{s['loss_window_days']} days", s["created_at"])
        for s in page["data"]
    ])  # fmt: skip


def _settings(command: Any) -> Any:
    """The options of what can be set and changed."""
    for option in (
        click.option("--loss-window-days", type=int, help="1 to 30."),
        click.option("--authorization-header", type=HEADERS, help="In which header it is sent."),
        click.option(
            "--authorization-file", type=click.File(), help="A file with its value, or -."
        ),
    ):
        command = option(command)
    return command


def _given(format: str | None, authorization_file: Any, header: str | None, days: int | None,
           **more: Any) -> dict[str, Any]:  # fmt: skip
    given = more | {
        "format": format, "authorization_header": header, "loss_window_days": days,
        "authorization": authorization_file.read().strip() if authorization_file else None,
    }  # fmt: skip
    return {name: value for name, value in given.items() if value is not None}


@siem.command("create")
@click.argument("url")
@click.option("--format", type=FORMATS, default="ocsf", show_default=True)
@click.option("--trail", help="The instance's, for its operator; else the organization's own.")
@_settings
@json_option
@refusals_end_the_command
def create(
    url: str, format: str, trail: str | None, authorization_file: Any,
    authorization_header: str | None, loss_window_days: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Carry every entry from now on to a URL. The signing secret is shown this once."""
    body = _given(format, authorization_file, authorization_header, loss_window_days,
                  url=url, trail=trail)  # fmt: skip
    made = Api.of_caller().post(STREAMS, body)
    if as_json:
        say_json(made)
        return
    facts({"stream": made["id"], "trail": made["trail"], "url": made["url"],
           "loss window": f"{made['loss_window_days']} days",
           "signing secret": made["signing_secret"]})  # fmt: skip


@siem.command("show")
@click.argument("stream")
@json_option
@refusals_end_the_command
def show(stream: str, as_json: bool) -> None:
    """How far it is, and how it is."""
    api = Api.of_caller()
    shown = api.get(f"{STREAMS}/{stream}")
    state = api.get(f"{STREAMS}/{stream}/state")
    if as_json:
        say_json(shown | {"state": state})
        return
    facts({
        "stream": shown["id"], "url": shown["url"], "format": shown["format"],
        "state": state["state"], "waiting": state["waiting"], "lag": f"{state['lag_s']} s",
        "last delivered": state["last_delivered_at"], "lost": state["lost"],
        "loss window": f"{state['loss_window_days']} days",
        "last health check": state["last_health"], "checked at": state["last_health_at"],
        "failing since": state["failing_since"], "last status": state["last_status"],
        "last error": state["last_error"], "next attempt": state["next_attempt_at"],
    })  # fmt: skip


@siem.command("change")
@click.argument("stream")
@click.option("--url")
@click.option("--format", type=FORMATS)
@_settings
@json_option
@refusals_end_the_command
def change(
    stream: str, url: str | None, format: str | None, authorization_file: Any,
    authorization_header: str | None, loss_window_days: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Change what is given; what waits is tried again at once."""
    body = _given(format, authorization_file, authorization_header, loss_window_days, url=url)
    api, path = Api.of_caller(), f"{STREAMS}/{stream}"
    tag = api.ask("GET", path).headers["etag"]
    text = json.dumps(body).encode()
    shown = api.document("PATCH", path, text, MERGE, **{"if-match": tag})
    say_json(shown) if as_json else click.echo(f"{stream} changed")


@siem.command("rotate-secret")
@click.argument("stream")
@json_option
@refusals_end_the_command
def rotate_secret(stream: str, as_json: bool) -> None:
    """A new signing secret, shown this once; the old one signs too for a day."""
    made = Api.of_caller().post(f"{STREAMS}/{stream}/rotate-secret")
    say_json(made) if as_json else click.echo(made["signing_secret"])


@siem.command("delete")
@click.argument("stream")
@json_option
@refusals_end_the_command
def delete(stream: str, as_json: bool) -> None:
    """Nothing is carried there any more."""
    api, path = Api.of_caller(), f"{STREAMS}/{stream}"
    tag = api.ask("GET", path).headers["etag"]
    api.ask("DELETE", path, headers={"if-match": tag})
    say_json({"id": stream}) if as_json else click.echo(f"{stream} deleted")
