"""`troth inventory`: what is kept where and for how long; `--check` looks whether that is so."""

from typing import Any

import click

from cli.client import Api
from cli.output import json_option, say_json, table
from cli.problems import refusals_end_the_command

HEAD = ("SERVICE", "KIND", "NAME", "VALUES", "PERSONAL", "SEALED", "RULE", "DAYS")


@click.command()
@click.option("--service", help="Of one service only.")
@click.option("--check", is_flag=True, help="Hold the live system against it now; the operator's.")
@click.option("--record", is_flag=True, help="The record of processing activities instead (JSON).")
@json_option
@refusals_end_the_command
def inventory(service: str | None, check: bool, record: bool, as_json: bool) -> None:
    """What is kept where. Exit code 1 when --check finds that something differs."""
    api = Api.of_caller()
    if record:
        say_json(api.get("/v1/processing-record"))
        return
    if check:
        shown = api.post("/v1/inventory/check")
        if as_json:
            say_json(shown)
        else:
            say_check(shown)
        raise SystemExit(0 if shown["complete"] else 1)
    shown = api.get("/v1/inventory", service=service)
    if as_json:
        say_json(shown)
        return
    table(HEAD, [_row(place) for place in shown["places"]])
    say_check(shown)


def say_check(shown: dict[str, Any]) -> None:
    """What the last look at the live system found."""
    for difference in shown["differences"]:
        click.echo(
            f"{difference['how']}: {difference['kind']} {difference['name']}"
            f" ({difference['service']})"
        )
    for service in shown["unanswered"]:
        click.echo(f"{service} did not answer")
    if shown["checked_at"] is None:
        click.echo("not yet held against the live system: troth inventory --check")
    elif shown["complete"]:
        click.echo(f"the live system is what the inventory says ({shown['checked_at']})")
    elif not shown["differences"] and not shown["unanswered"]:
        click.echo("last checked by an older inventory: troth inventory --check")


def _row(place: dict[str, Any]) -> tuple[Any, ...]:
    leaves = place["leaves"]
    personal = sum(leaf["data_class"] != "none" for leaf in leaves)
    sealed = sum(leaf["sealed"] for leaf in leaves)
    days = place["keep_days"] if place["keep_days"] is not None else ""
    return (place["service"], place["kind"], place["name"], len(leaves), personal, sealed,
            place["rule"], days)  # fmt: skip
