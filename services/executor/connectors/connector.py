"""What a connector is: typed inputs and outputs, a declared effect, and a function that does it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from libs.egress import Client

Model = type[BaseModel]


class Written(Protocol):
    """A content on its way into a file; `close` gives the value that stands for it."""

    async def write(self, data: bytes) -> None: ...

    async def close(self, media_type: str) -> dict[str, Any]: ...


class Files(Protocol):
    """The files of one execution; `find` raises NotFound."""

    async def find(self, file: str) -> Any: ...

    def read(self, row: Any) -> AsyncIterator[bytes]: ...

    def writer(self) -> Written: ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a connector may use: the guarded client, its key, its time, the hosts allowed, files."""

    client: Client
    idempotency_key: str
    timeout_s: float
    hosts: tuple[str, ...] | None
    files: Files | None = None


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
