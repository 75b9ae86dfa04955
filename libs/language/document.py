"""The checked document: its steps, what starts it, and what holds for all of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from libs.language.expression import Expression
from libs.language.steps import Block, Step
from libs.language.templates import Value

Respond = Literal["accepted", "result"]
Scheme = Literal["standard-webhooks", "github", "stripe", "slack", "token", "none"]
Missed = Literal["skip", "run-once", "run-all"]

RESPOND_TIMEOUT_S = 10.0
LANGUAGE_VERSION = 1


@dataclass(frozen=True, slots=True)
class WebhookTrigger:
    """Starts an execution by a call of `/hooks/{organization}/{path}`."""

    id: str | None
    path: str
    scheme: Scheme
    secret: str | None  # the secret's name; None only for scheme `none`
    header: str | None  # in which header the token is; only for scheme `token`
    respond: Respond
    timeout_s: float  # how long `respond: result` waits
    headers: tuple[str, ...]  # lower case; what `trigger.headers` holds
    query: tuple[str, ...]  # what `trigger.query` holds
    with_: Value | None  # makes the input out of `input` (the body) and `trigger`


@dataclass(frozen=True, slots=True)
class ScheduleTrigger:
    """Starts an execution at the instants of a cron line; each instant once."""

    id: str | None
    cron: str
    timezone: str
    missed: Missed  # what happens with instants while nothing ran
    with_: Value | None  # the input; sees `trigger`


@dataclass(frozen=True, slots=True)
class EventTrigger:
    """Starts an execution by an event of the platform or `custom.<name>`."""

    id: str | None
    type: str  # exact, or with `*` at the end
    match: Expression | None  # sees `event` (the CloudEvent)
    with_: Value | None  # the input; sees `event` and `trigger`


Trigger = WebhookTrigger | ScheduleTrigger | EventTrigger


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most `limit` executions of one key at once; what happens with more."""

    key: Expression | None  # None: the workflow as a whole
    limit: int
    then: Literal["queue", "reject", "cancel-running"]


@dataclass(frozen=True, slots=True)
class Debounce:
    """Starts of one key within `window_s` become one execution, when it was quiet so long.

    With `collect` its input is `{"items": [every input]}`, else the last input.
    """

    key: Expression | None
    window_s: float
    max_s: float | None  # at the latest so long after the first
    collect: bool


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` starts of one key in `per_s`; more wait or are refused."""

    key: Expression | None
    limit: int
    per_s: float
    then: Literal["queue", "reject"]


@dataclass(frozen=True, slots=True)
class TestCase:
    """One of `tests`: input and mocked connectors, expected output, error and effects (JSON)."""

    __test__ = False

    name: str
    input: Any
    vars: Mapping[str, Any]
    mocks: Mapping[str, Any]  # by step id: the result, a list of them by item, or {"error": …}
    expect: Mapping[str, Any]  # output, outcome, error, steps {id: result}, effects [{step, …}]


@dataclass(frozen=True, slots=True)
class Document:
    """A document of language version 1 without a problem. Starting by hand is always possible."""

    name: str
    title: str | None
    description: str | None
    labels: Mapping[str, str]
    input_schema: Mapping[str, Any] | bool | None
    triggers: tuple[Trigger, ...]
    timeout_s: float | None
    budget_steps: int | None
    egress: tuple[str, ...] | None  # None: not limited by the document
    block: Block
    steps_count: int
    hosts: tuple[str, ...]  # hosts that are written out, in order of appearance
    connectors: tuple[str, ...]  # "http-request@1", in order of appearance
    secrets: tuple[str, ...]  # names, in order of appearance
    variables: tuple[str, ...] = field(default=())
    callees: tuple[str, ...] = ()  # names of sub-workflows, in order of appearance
    on_error: Block | None = None
    concurrency: Concurrency | None = None
    debounce: Debounce | None = None
    rate: Rate | None = None
    priority: int = 0  # -10 to 10; higher is claimed first within the organization
    budget_duration_s: float | None = None
    tests: tuple[TestCase, ...] = ()

    @property
    def webhooks(self) -> tuple[WebhookTrigger, ...]:
        return tuple(t for t in self.triggers if isinstance(t, WebhookTrigger))

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the document's own block."""
        return self.block.steps

    @property
    def output(self) -> Value | None:
        """What the execution returns; None: its steps' results by id."""
        return self.block.output
