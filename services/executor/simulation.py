"""What a simulation came to: results by path, what was asked of the world, the end."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from libs.language.secrets import REFERENCE


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that was asked of the world; secrets in the request are references."""

    path: str
    connector: str
    request: Any
    attempt: int
    undo: bool = False

    @property
    def step(self) -> str:
        return self.path.partition("[")[0].partition(".")[0]


@dataclass(slots=True)
class Simulation:
    """`values` are of steps by path, `results` what would be in the log; `outcome` None: it came
    to no end, and `stopped` says why."""

    outcome: str | None
    rollback: str = "none"
    output: Any = None
    error: dict[str, Any] | None = None
    stopped: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    ended_at: datetime | None = None
    column: int | None = None


def references(request: Any) -> Any:
    """The request with its references to secrets as the document has them: without a version."""
    if isinstance(request, list):
        return [references(item) for item in request]
    if not isinstance(request, dict):
        return request
    if request.keys() == {REFERENCE, "version"}:
        return {REFERENCE: request[REFERENCE]}
    return {key: references(value) for key, value in request.items()}
