"""`troth replay` and `troth golden`: executions done again, and held against a draft."""

from typing import Any

import click

from cli.client import Api
from cli.output import json_option, say_json, table, text_of
from cli.problems import refusals_end_the_command
from cli.run import EXIT, finish, input_of


@click.command()
@click.argument("execution")
@click.option("--from", "from_step", metavar="STEP", help="A step, or one item's: post[3].")
@click.option("--version", default="same", show_default=True,
              help="same, newest, or a number.")  # fmt: skip
@click.option("--input", "given", metavar="JSON|@FILE", help="Another input.")
@click.option("--no-wait", is_flag=True, help="Start it and leave.")
@json_option
@refusals_end_the_command
def replay(execution: str, from_step: str | None, version: str, given: str | None, no_wait: bool,
           as_json: bool) -> None:  # fmt: skip
    """Do an execution again as a new one, from a step on (without --from: from its start).

    Results that were recorded before the step are taken over. Exit codes as those of `troth run`.
    """
    api = Api.of_caller()
    body: dict[str, Any] = {
        "from_step": from_step, "version": int(version) if version.isdigit() else version,
    }  # fmt: skip
    if given is not None:
        body["input"] = input_of(given)
    made = api.post(f"/v1/executions/{execution}/replay", body)["id"]
    if no_wait:
        say_json({"execution": made}) if as_json else click.echo(made)
        return
    try:
        ended = finish(api, made, as_json)
    except KeyboardInterrupt:
        click.echo(f"\nit goes on without you: troth executions show {made}", err=True)
        raise SystemExit(130) from None
    raise SystemExit(EXIT[ended["status"]])


@click.command()
@click.argument("workflow")
@click.option("--last", default=20, show_default=True, type=click.IntRange(1, 50),
              help="How many executions.")  # fmt: skip
@json_option
@refusals_end_the_command
def golden(workflow: str, last: int, as_json: bool) -> None:
    """Hold the draft against the last executions, with what was recorded of them as the world.

    Nothing is reached. Exit code 0: all go the same way, 1: some would not.
    """
    report = Api.of_caller().post(f"/v1/workflows/{workflow}/draft/golden-replay", {"last": last})
    if as_json:
        say_json(report)
        raise SystemExit(0 if report["same"] else 1)
    rows = [
        (one["execution"], one["version"], "same" if one["same"] else "differs",
         (one["first"] or {}).get("step"), (one["first"] or {}).get("what"),
         ", ".join(one["new_effects"]) or None, ", ".join(one["missing_effects"]) or None,
         ", ".join(one["changed_effects"]) or None)
        for one in report["executions"]
    ]  # fmt: skip
    columns = ("EXECUTION", "VERSION", "NOW", "FIRST AT", "WHAT", "NEW", "MISSING", "CHANGED")
    table(columns, rows)
    for one in report["executions"]:
        if (first := one["first"]) is not None and first["recorded"] is not None:
            click.echo(f"{one['execution']} {first['step'] or 'the end'}{first['pointer']}: "
                       f"{text_of(first['recorded'])} → {text_of(first['now'])}")  # fmt: skip
    click.echo(f"{report['total']} executions, {report['differing']} differ, "
               f"{report['skipped']} skipped")  # fmt: skip
    raise SystemExit(0 if report["same"] else 1)
