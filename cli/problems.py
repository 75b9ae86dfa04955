"""Refusals and faults in documents, shown as a compiler shows them."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import click

from cli.client import Refused

P = ParamSpec("P")
R = TypeVar("R")
HINTS = {
    "not-signed-in": "run `troth login`",
    "credential-invalid": "sign in again with `troth login`",
    "organization-required": "choose one with `troth login --organization NAME`",
    "rate-limited": "wait a moment and try again",
    "unavailable": "look at `troth doctor`",
}


def refusals_end_the_command(function: Callable[P, R]) -> Callable[P, R]:
    """Prints the API's problem instead of a trace; exit code 1. With `--json`, the problem."""

    @wraps(function)
    def run(*args: P.args, **kw: P.kwargs) -> R:
        try:
            return function(*args, **kw)
        except Refused as refused:
            if kw.get("as_json"):
                from cli.output import say_json

                say_json(refused.problem)
            else:
                click.echo("\n".join(refusal_lines(refused)), err=True)
            raise SystemExit(1) from None

    return run


def refusal_lines(refused: Refused) -> list[str]:
    """What was refused, each field with its rule, and what would help."""
    problem = refused.problem
    lines = [f"troth: {refused} ({refused.code or refused.status})"]
    for error in problem.get("errors", []):
        lines.append(f"  {error.get('pointer') or '/'}: {error.get('detail')}")
        if error.get("did_you_mean"):
            lines.append(f"    did you mean: {error['did_you_mean']}")
    if hint := HINTS.get(refused.code):
        lines.append(f"  {hint}")
    if problem.get("request_id"):
        lines.append(f"  request {problem['request_id']}")
    return lines


def document_lines(found: Iterable[dict[str, Any]], text: str, file: str) -> list[str]:
    """File, line, column, the line itself, a caret, and what was probably meant."""
    from libs.language.check_report import Problem, explain

    return [
        explain(
            Problem(
                one.get("pointer") or "", one.get("line"), one.get("column"), one.get("rule") or "",
                one.get("detail") or "", one.get("found"), one.get("did_you_mean"), one.get("see"),
            ),
            text, file,
        )
        for one in found
    ]  # fmt: skip
