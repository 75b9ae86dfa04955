"""Errors that are part of a contract: each kind has one HTTP status, each error one code."""

from typing import Any, ClassVar

from pydantic import BaseModel


class FieldProblem(BaseModel):
    """One thing wrong with a request: where, which rule, and what would help."""

    pointer: str
    rule: str
    detail: str
    line: int | None = None
    column: int | None = None
    found: str | None = None
    did_you_mean: str | None = None
    see: str | None = None


class DomainError(Exception):
    """A refusal that a caller can understand; `code` never changes, `detail` may."""

    kind: ClassVar[str] = "rejected"
    code: str = "rejected"

    def __init__(
        self, detail: str = "", *, errors: list[FieldProblem] | None = None, **extra: Any
    ) -> None:
        super().__init__(detail or self.code.replace("-", " "))
        self.detail = str(self)
        self.errors = errors or []
        self.extra = extra

    def to_wire(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "code": self.code,
            "detail": self.detail,
            "errors": [e.model_dump(exclude_none=True) for e in self.errors],
            "extra": self.extra,
        }


class Rejected(DomainError):
    kind = "rejected"


class Malformed(DomainError):
    kind = "malformed"
    code = "invalid-parameter"


class NotSignedIn(DomainError):
    kind = "not-signed-in"
    code = "not-signed-in"


class PaymentNeeded(DomainError):
    kind = "payment-needed"
    code = "quota-exceeded"


class Forbidden(DomainError):
    kind = "forbidden"
    code = "permission-missing"


class NotFound(DomainError):
    kind = "not-found"
    code = "not-found"


class Conflict(DomainError):
    kind = "conflict"
    code = "conflict"


class ChangedMeanwhile(DomainError):
    kind = "stale"
    code = "changed-meanwhile"


class PreconditionRequired(DomainError):
    kind = "precondition-required"
    code = "precondition-required"


class TooLarge(DomainError):
    kind = "too-large"
    code = "body-too-large"


class TooMany(DomainError):
    kind = "too-many"
    code = "rate-limited"


class Unavailable(DomainError):
    """A part that is needed does not answer; `part` in extra names it."""

    kind = "unavailable"
    code = "unavailable"


class KeyReused(Rejected):
    code = "idempotency-key-reused"


class InvalidInput(Rejected):
    code = "invalid-input"


KINDS: dict[str, type[DomainError]] = {
    c.kind: c
    for c in (
        Rejected, Malformed, NotSignedIn, PaymentNeeded, Forbidden, NotFound, Conflict,
        ChangedMeanwhile, PreconditionRequired, TooLarge, TooMany, Unavailable,
    )
}  # fmt: skip


def from_wire(data: dict[str, Any]) -> DomainError:
    """The error that another service raised, of its kind and with its code."""
    error = KINDS.get(data.get("kind", ""), Unavailable)(
        data.get("detail", ""),
        errors=[FieldProblem(**e) for e in data.get("errors", [])],
        **data.get("extra", {}),
    )
    error.code = data.get("code", error.code)
    return error
