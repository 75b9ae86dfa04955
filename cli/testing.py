"""`troth test`: runs the tests that workflow files carry, on this machine and without a server."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from cli.junit import write_junit
from cli.output import json_option, say_json, text_of
from cli.problems import document_lines

if TYPE_CHECKING:
    from services.executor.testing_cases import CaseResult

SUFFIXES: dict[str, Literal["yaml", "json"]] = {
    ".yaml": "yaml", ".yml": "yaml", ".json": "json",
}  # fmt: skip
PASSED, FAILED, UNREADABLE = 0, 1, 2


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path),
              help="Write the results as JUnit XML.")  # fmt: skip
@json_option
def test(files: tuple[Path, ...], junit: Path | None, as_json: bool) -> None:
    """Run the tests of workflow files (without FILES: of those in this folder).

    Nothing is reached: connectors, people, events and sub-workflows are answered by the mocks of
    each case, and time passes at once. Exit code 0: all passed, 1: some failed, 2: a file can't
    be read or has problems.
    """
    results = asyncio.run(_results([(file, file.read_bytes()) for file in _found(files)]))
    if junit is not None:
        write_junit(junit, results)
    say_json(results) if as_json else _tell(results)
    if any(result["problems"] for result in results):
        raise SystemExit(UNREADABLE)
    passed = all(case["passed"] for result in results for case in result["cases"])
    raise SystemExit(PASSED if passed else FAILED)


def _found(given: tuple[Path, ...]) -> list[Path]:
    """The files that are named; of a folder those that are workflows."""
    found: list[Path] = []
    for path in given or (Path(),):
        if path.is_dir():
            found += [file for file in sorted(path.iterdir()) if _is_workflow(file)]
        else:
            found.append(path)
    return found


def _is_workflow(file: Path) -> bool:
    if file.suffix not in SUFFIXES or not file.is_file():
        return False
    head = file.read_bytes()[:4096]
    return b"troth:" in head or b'"troth"' in head


async def _results(files: list[tuple[Path, bytes]]) -> list[dict[str, Any]]:
    from libs.language import ExpressionWorker
    from libs.sandbox import Sandbox
    from services.executor.simulate import Simulator

    simulator = Simulator(ExpressionWorker(), Sandbox())
    try:
        return [await _result(simulator, file, text) for file, text in files]
    finally:
        await simulator.close()


async def _result(simulator: Any, file: Path, text: bytes) -> dict[str, Any]:
    from libs.language.check import HTTP_REQUEST, Known, Problem, check
    from libs.language.source import SourceError, read_document
    from services.executor.testing_cases import run_cases

    base: dict[str, Any] = {"file": str(file), "workflow": None, "problems": [], "cases": []}
    try:
        source = read_document(text, SUFFIXES.get(file.suffix, "yaml"))
    except SourceError as error:
        return base | {"problems": [Problem.of_source(error).as_dict()]}
    checked = check(source, known=Known({HTTP_REQUEST.name: HTTP_REQUEST}))
    if checked.document is None:
        return base | {"problems": [problem.as_dict() for problem in checked.problems]}
    cases = await run_cases(simulator, checked.document)
    return base | {"workflow": checked.document.name, "cases": [shown(case) for case in cases]}


def shown(case: "CaseResult") -> dict[str, Any]:
    return {
        "name": case.name, "passed": case.passed, "outcome": case.outcome,
        "duration_ms": case.duration_ms,
        "differences": [asdict(difference) for difference in case.differences],
    }  # fmt: skip


def _tell(results: list[dict[str, Any]]) -> None:
    """A line for each case, and under a failed one what differs."""
    count = failed = 0
    for result in results:
        if result["problems"]:
            text = Path(result["file"]).read_text(encoding="utf-8", errors="replace")
            for line in document_lines(result["problems"], text, result["file"]):
                click.echo(line, err=True)
            continue
        click.echo(f"{result['file']}  {result['workflow']}" + ("" if result["cases"] else
                   "  (no tests)"))  # fmt: skip
        for case in result["cases"]:
            count += 1
            failed += not case["passed"]
            click.echo(f"  {'passed' if case['passed'] else 'FAILED'}  {case['name']}")
            for difference in case["differences"]:
                for line in lines_of(difference):
                    click.echo(f"      {line}")
    click.echo(f"{count} {'test' if count == 1 else 'tests'}, {failed} failed")


def lines_of(difference: dict[str, Any]) -> list[str]:
    """What a person reads of a difference."""
    where = difference["pointer"] or "the case"
    lines = [f"{where}: {difference['detail'] or difference['rule']}"]
    if difference["rule"] in ("different", "missing"):
        lines.append(f"  expected  {text_of(difference['expected'])}")
    if difference["rule"] in ("different", "unexpected"):
        lines.append(f"  got       {text_of(difference['got'])}")
    return lines
