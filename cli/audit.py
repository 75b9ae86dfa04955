"""`troth audit`: what proves the trail; `verify` is one file that runs without Troth as well."""

import click

from cli.audit_probe import probe
from cli.siem import siem


@click.group()
def audit() -> None:
    """Prove the trail, probe it, find what is wrong in it; carry it to a SIEM."""


@audit.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def verify(arguments: tuple[str, ...]) -> None:
    """Verify an export, a proof, a receipt or a live installation; --help says how."""
    from cli.audit_verify import main

    raise SystemExit(main(list(arguments), "troth audit verify"))


audit.add_command(probe)
audit.add_command(siem)
