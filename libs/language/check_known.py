"""What a check knows beside the document: connectors' cards, and names of secrets and variables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Effect = Literal["none", "read", "write"]


@dataclass(frozen=True, slots=True)
class Card:
    """A connector as a document sees it: JSON Schemas of what goes in and out, and its effect."""

    type: str
    version: int
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    effect: Effect = "write"

    @property
    def name(self) -> str:
        """As it is written after `uses:`."""
        return f"{self.type}@{self.version}"


@dataclass(frozen=True, slots=True)
class Known:
    """What exists; None means that nobody asked, so that nothing is said about it.

    `connectors` are by name, such as `http-request@1`. With `publishing`, a secret or variable
    that does not exist is a problem; else it is a warning, since it may be made later.
    """

    connectors: Mapping[str, Card] | None = None
    secrets: frozenset[str] | None = None
    variables: frozenset[str] | None = None
    publishing: bool = False


SCALARS = {
    "type": "object",
    "additionalProperties": {"type": ["string", "number", "boolean"]},
}
HTTP_REQUEST = Card(
    type="http-request",
    version=1,
    effect="write",
    inputs={
        "type": "object",
        "additionalProperties": False,
        "required": ["url"],
        "properties": {
            "method": {"enum": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]},
            "url": {"type": "string", "minLength": 1, "maxLength": 4096},
            "headers": {
                "type": "object",
                "additionalProperties": {"type": "string", "maxLength": 8192},
            },
            "query": SCALARS,
            "form": SCALARS,
            "json": {},
            "text": {"type": "string"},
            "file": {
                "type": "object",
                "required": ["$file"],
                "properties": {"$file": {"type": "string"}},
            },
            "as_file": {"type": "boolean"},
        },
    },
    outputs={
        "type": "object",
        "additionalProperties": False,
        "required": ["status", "headers", "json", "text", "size_bytes"],
        "properties": {
            "status": {"type": "integer"},
            "headers": {"type": "object", "additionalProperties": {"type": "string"}},
            "json": {},
            "text": {"type": "string"},
            "size_bytes": {"type": "integer"},
            "file": {"type": "object"},
        },
    },
)
