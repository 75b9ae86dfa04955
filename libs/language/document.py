"""The checked document, as the executor runs it: texts compiled, times in seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from libs.language.expression import Expression
from libs.language.templates import Value

Backoff = Literal["exponential", "fixed"]
Failures = Literal["stop", "collect"]
Respond = Literal["accepted", "result"]
Scheme = Literal["standard-webhooks", "github", "stripe", "slack", "token", "none"]

STEP_TIMEOUT_S = 30.0
RESPOND_TIMEOUT_S = 10.0
LANGUAGE_VERSION = 1


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and when to try again; None means: as the effect's default has it (§7.3)."""

    attempts: int | None = None
    backoff: Backoff | None = None
    initial_s: float | None = None
    max_s: float | None = None
    on: tuple[str | int, ...] | None = None  # error types, 429, "5xx"


@dataclass(frozen=True, slots=True)
class Block:
    """Steps in their order, and what leaves the block (None: its steps' results by id)."""

    steps: "tuple[Step, ...]"
    output: Value | None


@dataclass(frozen=True, slots=True)
class SetStep:
    """Computes values; its result is the object. The keys don't see each other."""

    id: str
    title: str | None
    pointer: str
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Branch:
    """One `when` of a choose."""

    when: Expression
    name: str | None
    block: Block


@dataclass(frozen=True, slots=True)
class ChooseStep:
    """Runs the first branch that is true; its result is that branch's value, or {}."""

    id: str
    title: str | None
    pointer: str
    branches: tuple[Branch, ...]
    otherwise: Block | None


@dataclass(frozen=True, slots=True)
class ForEachStep:
    """Runs its block once for each item of a list; its result is the list of the blocks' values."""

    id: str
    title: str | None
    pointer: str
    items: Expression
    as_: str
    index_as: str | None
    concurrency: int
    failures: Failures
    block: Block


@dataclass(frozen=True, slots=True)
class WaitStep:
    """Waits for a duration (a text such as 2s, perhaps computed), or until a time."""

    id: str
    title: str | None
    pointer: str
    for_: Value | None
    until: Expression | None


@dataclass(frozen=True, slots=True)
class UsesStep:
    """Calls a connector; its result is the connector's output."""

    id: str
    title: str | None
    pointer: str
    connector: str
    version: int
    with_: Value
    retry: Retry | None
    timeout_s: float
    deadline_s: float | None
    once: bool


Step = SetStep | ChooseStep | ForEachStep | WaitStep | UsesStep


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
class Document:
    """A document of language version 1 without a problem. Starting by hand is always possible."""

    name: str
    title: str | None
    description: str | None
    labels: Mapping[str, str]
    input_schema: Mapping[str, Any] | bool | None
    triggers: tuple[WebhookTrigger, ...]
    timeout_s: float | None
    budget_steps: int | None
    egress: tuple[str, ...] | None  # None: not limited by the document
    block: Block
    steps_count: int
    hosts: tuple[str, ...]  # hosts that are written out, in order of appearance
    connectors: tuple[str, ...]  # "http-request@1", in order of appearance
    secrets: tuple[str, ...]  # names, in order of appearance
    variables: tuple[str, ...] = field(default=())

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the document's own block."""
        return self.block.steps

    @property
    def output(self) -> Value | None:
        """What the execution returns; None: its steps' results by id."""
        return self.block.output
