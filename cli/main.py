"""The `troth` command: names and one line each here, the work in a module per command."""

import importlib
from typing import NamedTuple

import click


class Entry(NamedTuple):
    """Where a command is, and what `troth --help` says without importing it."""

    place: str
    help: str


COMMANDS = {
    "up": Entry("cli.up:up", "Run everything on this machine."),
    "demo": Entry("cli.demo.command:demo", "The main job on real parts, killed and proved."),
    "login": Entry("cli.login:login", "Sign in and keep the token for later commands."),
    "init": Entry("cli.init:init", "Write an example workflow file."),
    "apply": Entry("cli.apply:apply", "Check, save and publish workflow files."),
    "test": Entry("cli.testing:test", "Run the tests that workflow files carry; needs no server."),
    "run": Entry("cli.run:run", "Start a workflow and watch it to its end."),
    "workflows": Entry("cli.workflows:workflows", "List, compare, publish, roll back; gates."),
    "reviews": Entry("cli.reviews:reviews", "Four eyes on a draft: request, approve, reject."),
    "replay": Entry("cli.replay:replay", "Do an execution again, from a step on."),
    "golden": Entry("cli.replay:golden", "Hold a draft against past executions."),
    "executions": Entry("cli.executions:executions", "List them; show, cancel, pause, forget one."),
    "approvals": Entry("cli.approvals:approvals", "What waits for you; approve or reject it."),
    "files": Entry("cli.files:files", "Values too large for an input: send one, read one."),
    "invitations": Entry("cli.invitations:invitations", "Who is invited; invite, withdraw."),
    "events": Entry("cli.events:events", "What happened, as CloudEvents."),
    "emit": Entry("cli.emit:emit", "Say that something happened, for triggers and waits."),
    "audit": Entry("cli.audit:audit", "Verify the audit trail, offline or live."),
    "readers": Entry("cli.readers:readers", "How far each reader is, and what stopped it."),
    "retention": Entry("cli.retention:retention", "What each rule of retention did last."),
    "inventory": Entry("cli.inventory:inventory", "What is kept where; --check if that is so."),
    "doctor": Entry("cli.doctor:doctor", "Check this installation; each finding has its repair."),
    "serve": Entry("cli.serve:serve", "Run one or several services in this process."),
    "migrate": Entry("cli.serve:migrate_command", "Bring the databases to what this code expects."),
    "nats-users": Entry("cli.serve:nats_users", "Print the users that an external NATS needs."),
}


class Lazy(click.Group):
    """A group that imports only the command that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, name = entry.place.partition(":")
        return getattr(importlib.import_module(module), name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"there is no command {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)


def say_version(context: click.Context) -> None:
    from libs.common.process import VERSION

    click.echo(f"troth {VERSION}")
    context.exit()


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, expose_value=False, is_eager=True,
              callback=lambda ctx, _, asked: say_version(ctx) if asked else None,
              help="Print the version.")  # fmt: skip
def main() -> None:
    """Troth: workflow automation that keeps its word."""


if __name__ == "__main__":
    main()
