"""What the door itself refuses, before any service is asked."""

from libs.common.errors import (
    Conflict,
    DomainError,
    Forbidden,
    Malformed,
    NotFound,
    NotSignedIn,
    TooLarge,
    TooMany,
    Unavailable,
)  # fmt: skip


class MalformedJson(Malformed):
    code = "malformed-json"


class UnknownParameter(Malformed):
    code = "unknown-parameter"


class CursorMismatch(Malformed):
    code = "cursor-mismatch"


class OrganizationRequired(Malformed):
    code = "organization-required"


class CredentialInvalid(NotSignedIn):
    code = "credential-invalid"


class SignatureInvalid(NotSignedIn):
    code = "signature-invalid"


class CrossSiteRefused(Forbidden):
    code = "cross-site-refused"


class HookNotFound(NotFound):
    code = "hook-not-found"


class KeyInUse(Conflict):
    code = "idempotency-key-in-use"


class TooManyRunning(TooMany):
    code = "too-many-running"


class TooManyStreams(TooMany):
    code = "too-many-streams"


class RangeNotSatisfiable(DomainError):
    kind = "range-not-satisfiable"
    code = "range-not-satisfiable"


class MethodNotAllowed(DomainError):
    kind = "method-not-allowed"
    code = "method-not-allowed"


class NotAcceptable(DomainError):
    kind = "not-acceptable"
    code = "not-acceptable"


class MediaTypeUnsupported(DomainError):
    kind = "media-type-unsupported"
    code = "media-type-unsupported"


class HeadersTooLarge(DomainError):
    kind = "headers-too-large"
    code = "headers-too-large"


class ExecutionFailed(DomainError):
    kind = "internal"
    code = "execution-failed"


class Draining(Unavailable):
    code = "draining"


class Starting(Unavailable):
    code = "starting"


def body_too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(f"a body has at most {limit_bytes} bytes", limit_bytes=limit_bytes)
