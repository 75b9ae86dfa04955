"""`troth emit`: an event of the organization's own, for event triggers and waits."""

import click

from cli.client import Api
from cli.output import json_option, say_json
from cli.problems import refusals_end_the_command
from cli.run import input_of


@click.command()
@click.argument("type_", metavar="TYPE")
@click.option("--data", metavar="JSON|@FILE", help="What the event says.")
@click.option("--id", "own_id", help="Your name of this event: the same one is one event.")
@json_option
@refusals_end_the_command
def emit(type_: str, data: str | None, own_id: str | None, as_json: bool) -> None:
    """Say that something happened: TYPE is custom.<name>.

    Prints the event's id.
    """
    said = {"type": type_, "data": input_of(data, "--data"), "id": own_id}
    event = Api.of_caller().post("/v1/events", said)
    say_json(event) if as_json else click.echo(event["id"])
