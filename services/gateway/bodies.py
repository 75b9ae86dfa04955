"""Bodies of requests: size, type, strict JSON, and the model that a contract's command implies."""

from collections.abc import AsyncIterator, Sequence
from functools import cached_property
from typing import Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from libs.common.errors import FieldProblem, InvalidInput
from services.gateway.problems import fields_of
from services.gateway.refusals import MediaTypeUnsupported, body_too_large
from services.gateway.strict_json import loads

BODY_MAX = 256 * 1024
JSON = "application/json"
MERGE = "application/merge-patch+json"
YAML = "application/yaml"
YAML_NAMES = frozenset((YAML, "application/x-yaml", "text/yaml", "text/x-yaml"))


async def limited(chunks: AsyncIterator[bytes], declared: str | None, limit: int) -> bytes:
    """A body of at most `limit` bytes; a bigger one is refused before it is read to its end."""
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise body_too_large(limit)
    parts, size = [], 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise body_too_large(limit)
        parts.append(chunk)
    return b"".join(parts)


async def read(request: Request) -> bytes:
    """The request's body, once; kept for the digest of its idempotency key."""
    if not hasattr(request.state, "body"):
        request.state.body = await limited(
            request.stream(), request.headers.get("content-length"), BODY_MAX
        )
    return request.state.body


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def refuse_media_type(wanted: Sequence[str]) -> MediaTypeUnsupported:
    problem = FieldProblem(
        pointer="Content-Type", rule="media-type", detail=f"one of {', '.join(wanted)}"
    )
    return MediaTypeUnsupported(f"send {' or '.join(wanted)}", errors=[problem])


async def no_body(request: Request) -> None:
    """For verbs that take nothing: an empty body, or an empty object."""
    body = await read(request)
    if not body:
        return
    if media_type(request) != JSON:
        raise refuse_media_type([JSON])
    found = loads(body)
    if found not in ({}, None):
        known = [FieldProblem(pointer=f"/{name}", rule="unknown-field", detail="takes no fields")
                 for name in found] if isinstance(found, dict) else []  # fmt: skip
        raise InvalidInput("this takes no body", errors=known)


class BodyOf:
    """A dependency that gives the fields of a command as the body has them, checked.

    `without` names fields that do not come from the body (they are in the path).
    """

    def __init__(
        self, model: type[BaseModel], *, without: Sequence[str] = (), media: str = JSON,
        optional: bool = False,
    ) -> None:  # fmt: skip
        self.contract, self.without = model, frozenset(without)
        self.media, self.optional = media, optional

    @cached_property
    def model(self) -> type[BaseModel]:
        """The body's own model: the command's fields, without those of the path."""
        fields: dict[str, Any] = {
            name: (info.annotation, info)
            for name, info in self.contract.model_fields.items()
            if name not in self.without
        }
        return create_model(
            f"{self.contract.__name__}Body", __config__=ConfigDict(extra="forbid"),
            __doc__=self.contract.__doc__, **fields,
        )  # fmt: skip

    async def __call__(self, request: Request) -> dict[str, Any]:
        body = await read(request)
        if not body and self.optional:
            return {}
        if media_type(request) != self.media:
            raise refuse_media_type([self.media])
        return self.check(body)

    def check(self, body: bytes) -> dict[str, Any]:
        """The fields that are there. Types are JSON's: a text is no number, `"yes"` no truth."""
        if not isinstance(loads(body), dict):
            problem = FieldProblem(pointer="", rule="object", detail="the body is an object")
            raise InvalidInput("the body is no object", errors=[problem])
        try:
            found = self.model.model_validate_json(body, strict=True)
        except ValidationError as error:
            problems = fields_of(error, self.model.model_fields)
            count = len(problems)
            said = "1 field does" if count == 1 else f"{count} fields do"
            raise InvalidInput(f"{said} not fit", errors=problems) from None
        return {name: getattr(found, name) for name in found.model_fields_set}
