"""`python -m benchmarks [--quick]`: measures, prints a table, writes build/bench.json."""

import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from benchmarks import checks, expressions, figures, floors, size, starting
from benchmarks.prepare import prepare
from benchmarks.stack import Failed, Stack
from benchmarks.workloads import FULL, QUICK, Sizes, Workloads
from cli.client import Refused
from cli.output import table
from libs.embedded.children import CannotStart

BUILD = size.ROOT / "build"


@click.command()
@click.option("--quick", is_flag=True, help="Under a minute; the figures say less.")
def main(quick: bool) -> None:
    """Measures the embedded stack with everything on. Exit code 1: the run does not count."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    BUILD.mkdir(exist_ok=True)
    kept = BUILD / "bench.json"
    kept.unlink(missing_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=BUILD))
    stack = Stack(folder / "data", folder / "up.log")
    try:
        found = run(stack, QUICK if quick else FULL)
    except (Failed, Refused, CannotStart) as error:
        more = json.dumps(error.problem.get("errors", "")) if isinstance(error, Refused) else ""
        click.echo(f"\nthis run does not count: {error} {more}".rstrip(), err=True)
        raise SystemExit(1) from None
    finally:
        stack.stop()
        shutil.rmtree(folder)
    show(found)
    kept.write_text(json.dumps(figures.rounded({"quick": quick} | found), indent=1) + "\n")
    click.echo(f"\nwritten to {kept.relative_to(size.ROOT)}")


def run(stack: Stack, sizes: Sizes) -> dict[str, Any]:
    """All figures. Raises Failed when something did not hold that they stand for."""
    say("first start: databases, an operator, organizations, workflows")
    stack.start()
    prepared = prepare(stack)
    stack.stop()
    say("W4: second start, first execution, idle memory")
    found: dict[str, Any] = {"W4": starting.measure(stack, prepared, sizes.idle_s)}
    running = stack.state()
    found["servers"] = checks.settings(stack)
    say("  ".join(f"{name} = {value}" for name, value in found["servers"].items()))
    say("floors: publishes with acknowledgement, commits of one row")
    found["floor"] = floors.measure(stack, sizes.floor_s)
    say("E: expressions, ordinary and hostile")
    found["E"] = expressions.measure()
    work = Workloads(stack, prepared, sizes)
    work.executions = 1
    for name, what, measure in (
        ("W1", "one call, one answer, at 1, 16 and 64", work.answers),
        ("W2", f"a burst of {sizes.burst}", work.burst),
        ("W3", f"{sizes.items} items", work.loop),
        ("W5", f"{sizes.waiting} wait at once", work.waiting),
    ):
        say(f"{name}: {what}")
        found[name] = measure()
    stack.must_not_have_restarted(running)
    for executors in (2, 4):
        say(f"W2 with {executors} executors")
        found[f"W2x{executors}"] = with_executors(stack, executors, work)
        if executors == 2:
            say("W6: the same burst, one of the two is killed in the middle")
            found["W6"] = work.killed()
    say("is it true?")
    checks.finished(stack, work.executions)
    even = checks.even(stack)
    found["events"] = {name: counts.committed for name, counts in even.items()}
    found["executions"] = work.executions
    found["sealed_payloads"] = checks.sealed(stack, prepared.marker)
    return found | {"machine": machine()}


def with_executors(stack: Stack, count: int, work: Workloads) -> dict[str, Any]:
    """W2 on an installation that is started anew; it runs on."""
    stack.stop()
    stack.start(count)
    running = stack.wait_until_ready()
    found = work.burst()
    stack.must_not_have_restarted(running)
    return found


def machine() -> dict[str, Any]:
    load = os.getloadavg()
    return {
        "processors": os.cpu_count(), "python": platform.python_version(),
        "kernel": platform.release(), "load_1_min": load[0],
    }  # fmt: skip


def show(found: dict[str, Any]) -> None:
    click.echo("")
    table(figures.COLUMNS, figures.table_rows(found))
    click.echo("")
    table(*figures.cpu_rows(found))
    click.echo("")
    for what, name in (("PSS in MB", "idle_pss_mb"), ("CPU ms per second", "idle_cpu_ms_per_s")):
        parts = ", ".join(f"{n} {figures.short(v)}" for n, v in found["W4"][name].items())
        click.echo(f"idle, {what}: {parts}")
    floor = found["floor"]
    click.echo(
        f"floors: {figures.short(floor['jetstream_per_s'])} publishes/s acknowledged"
        f" ({figures.short(floor['jetstream_awaited_per_s'])} one by one),"
        f" {figures.short(floor['postgres_commits_per_s'])} commits/s,"
        f" {figures.short(floor['python_m_per_s'])} million loops of Python/s on each processor"
    )
    for name, count in found["events"].items():
        click.echo(f"{name}: committed = published = audited = {count}")
    click.echo(
        f"{found['executions']} executions called for and ended;"
        f" {found['sealed_payloads']} payloads in the log, all sealed"
    )


def say(text: str) -> None:
    click.echo(f"{time.strftime('%H:%M:%S')}  {text}")


if __name__ == "__main__":
    main()
