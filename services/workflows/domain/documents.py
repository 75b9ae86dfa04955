"""What a document says: read, checked, and taken apart into what others need to know of it."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import msgspec

from libs.common.errors import DomainError, FieldProblem, Malformed, TooLarge
from libs.language.check import HTTP_REQUEST, NAME, Checked, Known, Problem, check
from libs.language.document import (
    LANGUAGE_VERSION,
    Document,
    EventTrigger,
    ScheduleTrigger,
    Trigger,
    WebhookTrigger,
)
from libs.language.source import Source, SourceError, read_document
from libs.language.source_marks import SOURCE_BYTES_MAX
from libs.language.steps import Block, WaitStep, blocks_in
from services.workflows.contract import (
    PUBLISHED_BYTES_MAX,
    CalleeFact,
    CheckShown,
    ConnectorFact,
    Media,
    ProblemShown,
    TriggerFact,
    WorkflowInvalid,
)
from services.workflows.domain.workflow import Facts

CONNECTORS = {HTTP_REQUEST.name: HTTP_REQUEST}
SECRET = re.compile(r"\$\{\{\s*secret\s*\.\s*([a-z][a-z0-9_-]{0,62})\s*\}\}")


@dataclass(frozen=True, slots=True)
class Examined:
    """A document that was read: its name, what the checker says, which secrets it names."""

    text: str
    source: Source
    name: str
    checked: Checked

    @property
    def steps_count(self) -> int | None:
        return self.checked.document.steps_count if self.checked.document else None

    @property
    def secrets(self) -> list[str]:
        return sorted(set(SECRET.findall(self.text)))


def known(secrets: frozenset[str], variables: frozenset[str], *, publishing: bool) -> Known:
    return Known(CONNECTORS, secrets, variables, publishing)


def examine(text: str, media: Media, what_is: Known) -> Examined:
    """Reads and checks; raises Malformed when it can't be read, WorkflowInvalid without a name."""
    try:
        source = read_document(text, media)
    except SourceError as error:
        raise unreadable(error) from error
    checked = check(source, known=what_is)
    name = source.value.get("name") if isinstance(source.value, dict) else None
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise WorkflowInvalid(
            "a document needs a name before it can be kept", errors=field_problems(checked.problems)
        )
    return Examined(text, source, name, checked)


def opinion(text: str, media: Media, what_is: Known) -> CheckShown:
    """What a check says about a text, also about one that can't be read."""
    try:
        checked = check(read_document(text, media), known=what_is)
    except SourceError as error:
        checked = Checked([Problem.of_source(error)], [], more=False, document=None)
    return CheckShown(
        ok=checked.document is not None,
        problems=problems_shown(checked.problems),
        warnings=problems_shown(checked.warnings),
        more=checked.more,
        steps_count=checked.document.steps_count if checked.document else None,
    )


def unreadable(error: SourceError) -> DomainError:
    problem = FieldProblem(
        pointer="", rule=error.rule, detail=error.detail, line=error.line, column=error.column
    )
    if error.rule == "too-large":
        return TooLarge(error.detail, errors=[problem], limit_bytes=SOURCE_BYTES_MAX)
    refusal = Malformed(str(error), errors=[problem])
    refusal.code = error.code
    return refusal


def canonical(examined: Examined) -> bytes:
    return msgspec.json.encode(examined.source.value)


def unpublishable(examined: Examined, size: int) -> list[FieldProblem]:
    """What keeps it from being published; `size` is the one of its canonical JSON."""
    if examined.checked.document is None:
        return field_problems(examined.checked.problems)
    if size > PUBLISHED_BYTES_MAX:
        detail = f"as JSON it has {size} bytes; at most {PUBLISHED_BYTES_MAX} are allowed"
        return [FieldProblem(pointer="", rule="too-large", detail=detail)]
    return []


def facts(document: Document, sealed: str, callees: list[CalleeFact]) -> Facts:
    return Facts(
        document=sealed,
        steps_count=document.steps_count,
        language=LANGUAGE_VERSION,
        triggers=triggers(document),
        connectors=[_connector(name) for name in document.connectors],
        hosts=list(document.hosts),
        secrets=list(document.secrets),
        variables=list(document.variables),
        labels=dict(document.labels),
        callees=callees,
        awaits=awaits(document),
        tests=len(document.tests),
    )


def awaits(document: Document) -> list[str]:
    """The types of events that steps of the document wait for."""
    return sorted({type_ for block in (document.block, document.on_error) if block is not None
                   for type_ in _awaited(block)})  # fmt: skip


def _awaited(block: Block) -> Iterator[str]:
    for step in block.steps:
        if isinstance(step, WaitStep) and step.event is not None:
            yield step.event.type
        for inner in blocks_in(step):
            yield from _awaited(inner)


def triggers(document: Document) -> list[TriggerFact]:
    return [trigger(each) for each in document.triggers]


def trigger(each: Trigger) -> TriggerFact:
    match each:
        case WebhookTrigger():
            return TriggerFact(
                kind="webhook", id=each.id, path=each.path, scheme=each.scheme,
                secret=each.secret, header=each.header, respond=each.respond,
                timeout_s=each.timeout_s, headers=list(each.headers), query=list(each.query),
            )  # fmt: skip
        case ScheduleTrigger():
            return TriggerFact(
                kind="schedule", id=each.id, cron=each.cron, timezone=each.timezone,
                missed=each.missed,
            )  # fmt: skip
        case EventTrigger():
            return TriggerFact(kind="event", id=each.id, event_type=each.type)


def _connector(name: str) -> ConnectorFact:
    kind, _, version = name.partition("@")
    return ConnectorFact(type=kind, version=int(version))


def field_problems(problems: list[Problem]) -> list[FieldProblem]:
    return [FieldProblem(**p.as_dict()) for p in problems]


def problems_shown(problems: list[Problem]) -> list[ProblemShown]:
    return [ProblemShown(**asdict(p)) for p in problems]
