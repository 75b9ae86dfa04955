"""`troth workflows`: the list, what changed between versions, going back, what publishing takes."""

from typing import Any

import click

from cli.client import Api
from cli.output import fail, json_option, say_json, table, text_of
from cli.problems import refusals_end_the_command

MARKS = {"added": "+", "removed": "-", "changed": "~", "moved": ">"}


@click.group(invoke_without_command=True)
@click.pass_context
def workflows(context: click.Context) -> None:
    """List workflows (without a subcommand, too); compare, publish, go back, switch on and off."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@workflows.command("list")
@click.option("--label", help="key or key:value")
@click.option("--search", help="A part of the name.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 200))
@json_option
@refusals_end_the_command
def list_(
    label: str | None = None, search: str | None = None, limit: int = 50, as_json: bool = False
) -> None:
    """The workflows, newest first."""
    page = Api.of_caller().get("/v1/workflows", label=label, q=search, limit=limit)
    if as_json:
        say_json(page)
        return
    table(("WORKFLOW", "ID", "VERSION", "ENABLED", "ARCHIVED", "PUBLISHED"), [
        (w["name"], w["id"], w["published"], w["enabled"], w["archived"], w["published_at"])
        for w in page["data"]
    ])  # fmt: skip


@workflows.command("diff")
@click.argument("workflow")
@click.argument("version", required=False, type=click.IntRange(1))
@click.option("--against", metavar="VERSION|draft", help="Another version, or the draft.")
@json_option
@refusals_end_the_command
def diff(workflow: str, version: int | None, against: str | None, as_json: bool) -> None:
    """What changed in VERSION since the one before it, or `--against` another.

    Without VERSION: what the draft would change in what is published.
    """
    api = Api.of_caller()
    if version is None:
        published = api.get(f"/v1/workflows/{workflow}")["published"]
        if published is None:
            fail(f"{workflow} is not published yet: there is nothing to compare the draft with")
        version, against = published, against or "draft"
    shown = api.get(f"/v1/workflows/{workflow}/versions/{version}/diff", against=against)
    if as_json:
        say_json(shown)
        return
    lines = diff_lines(shown)
    old = "nothing" if shown["old"] is None else shown["old"]
    click.echo(f"{workflow}: {old} → {shown['new']}")
    click.echo("\n".join(lines) if lines else "no difference")


def diff_lines(shown: dict[str, Any]) -> list[str]:
    """A line for each step, trigger and setting, with what differs below it."""
    lines = [f"{MARKS['added']} step {s['id']} ({s['kind']})" for s in shown["steps_added"]]
    lines += [f"{MARKS['removed']} step {s['id']} ({s['kind']})" for s in shown["steps_removed"]]
    for step in shown["steps_changed"]:
        lines += [f"{MARKS['changed']} step {step['id']}", *_changes(step["changes"])]
    for step in shown["steps_moved"]:
        places = f"{step['old_pointer']} → {step['new_pointer']}"
        lines.append(f"{MARKS['moved']} step {step['id']}: {places}")
    for trigger in shown["triggers"]:
        mark = "added" if trigger["old_pointer"] is None else "changed"
        mark = "removed" if trigger["new_pointer"] is None else mark
        lines += [f"{MARKS[mark]} trigger {trigger['trigger']}", *_changes(trigger["changes"])]
    settings = _changes(shown["settings"])
    return lines + [f"{MARKS['changed']} setting {line.strip()}" for line in settings]


def _changes(changes: list[dict[str, Any]]) -> list[str]:
    return [f"    {c['key']}: {text_of(c['old'])} → {text_of(c['new'])}" for c in changes]


@workflows.command("publish")
@click.argument("workflow")
@click.option("--note", help="Why; stands beside the version.")
@click.option(
    "--golden-replay", type=click.IntRange(1, 50), metavar="N",
    help="Hold it against the last N executions, if not more are asked for already.",
)  # fmt: skip
@click.option(
    "--accept-differences", is_flag=True,
    help="Publish although past executions would go another way; this is recorded.",
)  # fmt: skip
@json_option
@refusals_end_the_command
def publish(
    workflow: str, note: str | None, golden_replay: int | None, accept_differences: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Publish the draft as it stands."""
    api = Api.of_caller()
    body: dict[str, Any] = {
        "draft_version": api.get(f"/v1/workflows/{workflow}")["draft"], "note": note,
        "accept_differences": accept_differences,
    }  # fmt: skip
    if golden_replay is not None:
        body["gate"] = {"golden_replay": golden_replay}
    _say(api.post(f"/v1/workflows/{workflow}/publish", body), as_json)


@workflows.command("rollback")
@click.argument("workflow")
@click.option("--to", "version", type=click.IntRange(1), help="A version; the one before without.")
@click.option("--note", help="Why; stands beside the new version.")
@json_option
@refusals_end_the_command
def rollback(workflow: str, version: int | None, note: str | None, as_json: bool) -> None:
    """Publish again what a version was; the draft stays as it is."""
    api = Api.of_caller()
    if version is None:
        published = api.get(f"/v1/workflows/{workflow}")["published"] or 0
        if published < 2:
            fail(f"{workflow} has no version before the published one")
        version = published - 1
    made = api.post(f"/v1/workflows/{workflow}/rollback", {"version": version, "note": note})
    _say(made, as_json, f" (what version {version} was)")


def _say(shown: dict[str, Any], as_json: bool, more: str = "") -> None:
    if as_json:
        say_json(shown)
    else:
        click.echo(f"{shown['name']} version {shown['published']} is published{more}")


def _switches(verb: str, help: str) -> click.Command:
    @workflows.command(verb, help=help)
    @click.argument("workflow")
    @json_option
    @refusals_end_the_command
    def switch(workflow: str, as_json: bool) -> None:
        shown = Api.of_caller().post(f"/v1/workflows/{workflow}/{verb}")
        say_json(shown) if as_json else click.echo(f"{shown['name']} {verb}d")

    return switch


enable = _switches("enable", "Its triggers start executions again.")
disable = _switches("disable", "Its triggers start nothing; what runs goes on.")
archive = _switches("archive", "Put it away for good; what runs ends.")


@workflows.command("publishing")
@click.argument("workflow", required=False)
@click.option(
    "--golden-replay", type=click.IntRange(0, 50), metavar="N",
    help="So many past executions have to go the same way; 0: none are looked at.",
)  # fmt: skip
@click.option(
    "--review/--no-review",
    default=None,
    help="Whether drafts need an approved review (of the organization only).",
)
@json_option
@refusals_end_the_command
def publishing(
    workflow: str | None, golden_replay: int | None, review: bool | None, as_json: bool
) -> None:
    """What has to hold before drafts are published: of WORKFLOW, else of the organization.

    Options set it; the greater number of the two holds.
    """
    if workflow is not None and review is not None:
        fail("--review is of the whole organization: leave WORKFLOW out", 2)
    api = Api.of_caller()
    path = "/v1/organization/publishing" if workflow is None else (
        f"/v1/workflows/{workflow}/publishing"
    )  # fmt: skip
    given = {"golden_replay": golden_replay, "review": review}
    body = {name: value for name, value in given.items() if value is not None}
    shown = api.ask("PUT", path, json=body).json() if body else api.get(path)
    if as_json:
        say_json(shown)
        return
    if workflow is None:
        click.echo(f"review: {'needed' if shown['review'] else 'not needed'}")
    count = shown["golden_replay"] if workflow is None else shown["wanted"]
    click.echo(f"golden replay: {f'the last {count} executions' if count else 'none'}")
