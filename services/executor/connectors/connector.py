"""What a connector is: typed inputs and outputs, a declared effect, and a function that does it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from libs.egress import Client

Model = type[BaseModel]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a connector may use: the guarded client, its key, its time, the hosts allowed."""

    client: Client
    idempotency_key: str
    timeout_s: float
    hosts: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Outcome:
    value: Any
    status: int | None = None


@dataclass(frozen=True)
class Connector:
    """The card; `repeatable(request)` says whether it may be tried again without being asked to."""

    type: str
    version: int
    title: str
    effect: Literal["none", "read", "write"]
    inputs: Model
    outputs: Model
    run: Callable[[Any, Attempt], Awaitable[Outcome]]
    repeatable: Callable[[Any], bool]
    host: Callable[[Any], str]

    @property
    def name(self) -> str:
        return f"{self.type}@{self.version}"


def without_input(error: ValueError) -> str:
    """A pydantic error names fields and rules, without the values."""
    errors = getattr(error, "errors", None)
    if errors is None:
        return str(error)
    found = errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"with/{'/'.join(map(str, e['loc']))}: {e['msg']}" for e in found)
