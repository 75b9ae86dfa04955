"""The checker: a file that was read becomes a Document, or a list of problems with their places."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from libs.language.check_context import Context, Fields, Scope, kind_of
from libs.language.check_known import HTTP_REQUEST, Card, Known
from libs.language.check_report import Problem, Report, explain
from libs.language.check_shapes import Fits, Keys, Shape
from libs.language.check_steps import block_at
from libs.language.check_triggers import trigger_scope, triggers_at
from libs.language.document import LANGUAGE_VERSION, Block, Document
from libs.language.schema import SchemaError, compile_schema
from libs.language.source import Source, read_value

__all__ = ["HTTP_REQUEST", "Card", "Checked", "Known", "Problem", "check", "explain", "parse"]

NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
NAME_FORM = "a to z, 0 to 9 and -, beginning with a letter, at most 63 characters"
LABEL = re.compile(r"[a-z][a-z0-9_.-]{0,39}")
# A name, an IPv4 address or an IPv6 address in brackets; perhaps a port.
HOST = re.compile(
    r"(?=.{1,261}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
    r"|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?",
    re.IGNORECASE,
)
KEYS = (
    *("troth", "name", "title", "description", "labels", "input", "on", "budget", "egress"),
    *("timeout", "steps", "output"),
)
KEYS_LATER = ("concurrency", "debounce", "rate", "on_error", "tests")
TITLE_CHARS_MAX = 200
DESCRIPTION_CHARS_MAX = 10_000
LABELS_MAX = 20
LABEL_CHARS_MAX = 100
EGRESS_MAX = 100
BUDGET_STEPS_MAX = 10_000_000
ROOT_SHAPES: Mapping[str, Shape] = {
    "input": None,
    "trigger": Keys({"kind": None, "at": None, "headers": None, "query": None, "call": None}),
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
        context = Context(report, known or Known(), step_ids(source.value))
        document = document_at(Fields(context, (), source.value))
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
    fields.only(KEYS, later=KEYS_LATER)
    name = fields.matching("name", NAME, "bad-name", NAME_FORM)
    if "name" not in fields:
        fields.missing("name", "the workflow's name in addresses and lists")
    title = fields.words("title", TITLE_CHARS_MAX)
    description = fields.words("description", DESCRIPTION_CHARS_MAX)
    labels = labels_at(fields)
    input_shape = input_at(fields)
    context.egress = egress_at(fields)
    scope = Scope({**ROOT_SHAPES, "input": input_shape})
    triggers = triggers_at(fields, trigger_scope(scope))
    timeout_s = fields.duration("timeout")
    budget_steps = budget_at(fields)
    block = steps_at(fields, scope)
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


def labels_at(fields: Fields) -> Mapping[str, str]:
    """Literal labels."""
    inner = fields.inner("labels")
    if inner is None:
        return {}
    if len(inner.value) > LABELS_MAX:
        fields.report.problem(inner.path, "too-many", f"at most {LABELS_MAX} labels are allowed")
        return {}
    labels: dict[str, str] = {}
    for key in inner.value:
        if not LABEL.fullmatch(key):
            rule = "expression-in-key" if "${{" in key else "bad-name"
            detail = "a label's name is a to z, 0 to 9, _ . -, at most 40 characters"
            fields.report.problem(inner.at(key), rule, detail, of_key=True, found=key)
        text = inner.words(key, LABEL_CHARS_MAX)
        if text is not None:
            labels[key] = text
    return labels


def input_at(fields: Fields) -> Shape:
    """The input's schema: sound, small and cheap, or reported and unknown."""
    if "input" not in fields:
        return None
    schema = fields.value["input"]
    try:
        compile_schema(schema)
    except SchemaError as error:
        for fault in error.faults:
            path = (*fields.at("input"), *fault.path)
            of_key = fault.rule in ("unknown-key", "schema-keyword")
            fields.report.problem(
                path,
                fault.rule,
                fault.detail,
                see="triggers",
                of_key=of_key,
                found=fault.found,
                mean=fault.did_you_mean,
            )
        return None
    return Fits(schema, schema)


def egress_at(fields: Fields) -> tuple[str, ...] | None:
    """The hosts that can be reached, in small letters; None if the document does not say."""
    if "egress" not in fields:
        return None
    hosts: list[str] = []
    for index, entry in enumerate(fields.items("egress", EGRESS_MAX)):
        path = (*fields.at("egress"), index)
        if isinstance(entry, str) and HOST.fullmatch(entry):
            hosts.append(entry.lower())
        elif isinstance(entry, str) and "${{" in entry:
            detail = "`egress` is literal: it is read when the document is published"
            fields.report.problem(path, "expression-not-here", detail, see="fields", found=entry)
        else:
            detail = "`egress` lists hosts, such as api.example.com, without https:// and path"
            found = entry if isinstance(entry, str) else None
            fields.report.problem(path, "bad-host", detail, found=found)
    return tuple(hosts)


def budget_at(fields: Fields) -> int | None:
    """`budget: {steps}`; its other parts come later."""
    inner = fields.inner("budget")
    if inner is None:
        return None
    inner.only(("steps",), later=("tokens", "cost", "duration"))
    return inner.integer("steps", 1, BUDGET_STEPS_MAX)
