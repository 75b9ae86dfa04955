"""The checker: a file that was read becomes a Document, or a list of problems with their places."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from libs.language.check_context import Context, Fields, Scope, kind_of
from libs.language.check_head import egress_at, labels_at
from libs.language.check_kinds import STEP_KINDS
from libs.language.check_known import HTTP_REQUEST, Card, Known
from libs.language.check_limits import warn_of_limits
from libs.language.check_report import Problem, Report, explain
from libs.language.check_schema import schema_at
from libs.language.check_settings import (
    budget_at,
    concurrency_at,
    debounce_at,
    priority_at,
    rate_at,
)
from libs.language.check_shapes import Keys, Shape
from libs.language.check_steps import ERROR_SHAPE, block_at, inner_block
from libs.language.check_tests import cases_at
from libs.language.check_triggers import triggers_at
from libs.language.document import LANGUAGE_VERSION, Document
from libs.language.source import Source, read_value
from libs.language.steps import Block

__all__ = ["HTTP_REQUEST", "Card", "Checked", "Known", "Problem", "check", "explain", "parse"]

NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
NAME_FORM = "a to z, 0 to 9 and -, beginning with a letter, at most 63 characters"
KEYS = (
    *("troth", "name", "title", "description", "labels", "input", "on", "concurrency", "debounce"),
    *("rate", "priority", "budget", "egress", "timeout", "steps", "on_error", "output", "tests"),
)
TITLE_CHARS_MAX = 200
DESCRIPTION_CHARS_MAX = 10_000
ROOT_SHAPES: Mapping[str, Shape] = {
    "input": None,
    "trigger": Keys(
        dict.fromkeys(
            (
                "kind",
                "at",
                "headers",
                "query",
                "call",
                "schedule",
                "due_at",
                "event_id",
                "event_type",
            )
        )
    ),
    "execution": Keys({"id": None, "started_at": None, "attempt": None, "mode": None}),
    "workflow": Keys({"name": None, "version": None}),
    "vars": None,
}


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found; `document` is there when there are no problems."""

    problems: list[Problem]
    warnings: list[Problem]
    more: bool  # there are problems beyond the first 50
    document: Document | None


class DocumentError(ValueError):
    """A document that was published does not pass: it was not made by this language."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(f"{problems[0].pointer}: {problems[0].rule}: {problems[0].detail}")
        self.problems = problems


def check(source: Source, *, known: Known | None = None) -> Checked:
    """Check a document by all rules; problems and warnings come in the order of the file."""
    report = Report(source)
    document = None
    if isinstance(source.value, dict):
        context = Context(report, known or Known(), step_ids(source.value), STEP_KINDS)
        document = document_at(Fields(context, (), source.value))
        if not report.problems:
            warn_of_limits(report, document)
    else:
        detail = f"a workflow is an object, not {kind_of(source.value)}"
        report.problem((), "block-shape", detail, see="the-file")
    in_order = [sorted(found, key=place_of) for found in (report.problems, report.warnings)]
    return Checked(*in_order, more=report.more, document=None if report.problems else document)


def parse(document_value: Any) -> Document:
    """The Document of a published version; what does not pass is a DocumentError."""
    checked = check(read_value(document_value))
    if checked.document is None:
        raise DocumentError(checked.problems)
    return checked.document


def place_of(problem: Problem) -> tuple[int, int]:
    """For putting problems in the order of the file."""
    return problem.line or 0, problem.column or 0


def step_ids(value: Any) -> frozenset[str]:
    """Every text that stands as `id` of something, for better messages."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if isinstance(part.get("id"), str):
                found.add(part["id"])
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return frozenset(found)


def document_at(fields: Fields) -> Document:
    """Read the whole document; it may be used only if nothing was reported."""
    context = fields.context
    language_version(fields)
    fields.only(KEYS)
    name = fields.matching("name", NAME, "bad-name", NAME_FORM)
    if "name" not in fields:
        fields.missing("name", "the workflow's name in addresses and lists")
    title = fields.words("title", TITLE_CHARS_MAX)
    description = fields.words("description", DESCRIPTION_CHARS_MAX)
    labels = labels_at(fields)
    context.egress = egress_at(fields)
    scope = Scope({**ROOT_SHAPES, "input": schema_at(fields, "input")})
    triggers = triggers_at(fields, scope)
    concurrency = concurrency_at(fields, scope)
    debounce = debounce_at(fields, scope)
    rate = rate_at(fields, scope)
    priority = priority_at(fields)
    timeout_s = fields.duration("timeout")
    budget_steps, budget_duration_s = budget_at(fields)
    block = steps_at(fields, scope)
    on_error, _ = inner_block(fields, "on_error", scope.plus("error", ERROR_SHAPE), 0)
    tests = cases_at(fields)
    return Document(
        name=name or "",
        title=title,
        description=description,
        labels=labels,
        input_schema=fields.value.get("input"),
        triggers=triggers,
        timeout_s=timeout_s,
        budget_steps=budget_steps,
        egress=context.egress,
        block=block,
        steps_count=context.steps_count,
        hosts=tuple(context.hosts),
        connectors=tuple(context.connectors),
        secrets=tuple(context.secrets),
        variables=tuple(context.variables),
        callees=tuple(context.callees),
        on_error=on_error,
        concurrency=concurrency,
        debounce=debounce,
        rate=rate,
        priority=priority,
        budget_duration_s=budget_duration_s,
        tests=tests,
    )


def language_version(fields: Fields) -> None:
    """`troth: 1` says in which version of the language the document is written."""
    version = fields.value.get("troth")
    report = fields.report
    if "troth" not in fields:
        detail = "the first line says the version of the language: `troth: 1`"
        report.problem((), "language-version", detail, see="the-file")
    elif isinstance(version, bool) or version != LANGUAGE_VERSION or isinstance(version, float):
        detail = "the only version of the language is 1: `troth: 1`"
        report.problem(fields.at("troth"), "language-version", detail, see="the-file")
    elif report.source.media == "yaml" and next(iter(fields.value)) != "troth":
        detail = "`troth: 1` should be the first key"
        report.warning(fields.at("troth"), "language-version", detail, see="the-file", of_key=True)


def steps_at(fields: Fields, scope: Scope) -> Block:
    """The document's own block; it has at least one step."""
    if "steps" not in fields:
        fields.missing("steps", "a list of at least one step")
        return Block((), None)
    if fields.value["steps"] == []:
        fields.report.problem(fields.at("steps"), "no-steps", "a workflow has at least one step")
    return block_at(fields, scope, 1)[0]
