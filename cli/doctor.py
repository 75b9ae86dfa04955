"""`troth doctor`: looks at an installation; whatever is wrong comes with its repair."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.output import json_option, say_json, table
from cli.readers import data_option

if TYPE_CHECKING:
    from cli.checks import Check, Finding, Patient


@click.command()
@data_option
@json_option
def doctor(data: Path, as_json: bool) -> None:
    """Check this installation; each finding has its repair. Exit code 1 when one is wrong."""
    from cli.checks import Patient
    from cli.store import Stores

    patient = Patient(Stores(data))
    findings = examine(patient)
    if as_json:
        say_json([asdict(finding) for finding in findings])
    else:
        table(("CHECK", "HOW", "FOUND"), [(f.name, f.how, f.detail) for f in findings])
        for finding in findings:
            if finding.how != "ok" and finding.repair:
                click.echo(f"\n{finding.name}: {finding.repair}")
    raise SystemExit(1 if any(finding.how == "wrong" for finding in findings) else 0)


def examine(patient: "Patient") -> "list[Finding]":
    """All findings; of a folder that is none of ours only that."""
    first, *rest = all_checks()
    folder = first(patient)
    if not (patient.data / "version").exists():
        return [folder]
    return [folder, *(check(patient) for check in rest)]


def all_checks() -> "list[Check]":
    """In the order in which one would repair."""
    from cli import checks_bus as bus
    from cli import checks_folder as folder
    from cli import checks_running as running
    from cli.checks import Check

    return [
        Check("data folder", folder.data_folder),
        Check("secrets", folder.secrets),
        Check("data keys", folder.keys),
        Check("disk space", folder.disk),
        Check("PostgreSQL", running.postgres, running=True),
        Check("NATS", running.nats, running=True),
        Check("users of NATS", bus.bus_users, running=True),
        Check("databases", folder.migrations),
        Check("clocks", running.clocks, running=True),
        Check("processes", running.processes, running=True),
        Check("leases", running.leases, running=True),
        Check("readers", running.readers, running=True),
        Check("retention", running.retention, running=True),
        Check("API", running.door, running=True),
    ]
