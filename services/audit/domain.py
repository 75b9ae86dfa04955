"""What an event is entered as: category, class, outcome, and the thing that it is about. Pure."""

from typing import Any

import msgspec

from services.audit.contract import Category, Outcome

_BY_NAME: dict[str, Category] = {
    "person-registered": "authentication",
    "session-opened": "authentication",
    "session-closed": "authentication",
    "sign-in-refused": "authentication",
    "password-changed": "authentication",
    "access-refused": "api-usage",
    "api-usage-recorded": "api-usage",
    "key-created": "privacy",
    "keys-destroyed": "privacy",
    "effect-began": "integration",
    "effect-ended": "integration",
    "egress-refused": "integration",
    "call-tried": "integration",
    "undo-began": "integration",
    "undo-ended": "integration",
    "reader-stopped": "error",
    "event-skipped": "error",
    "gap-found": "error",
    "gap-closed": "error",
    "producer-silent": "error",
    "count-differed": "error",
    "checkpoint-refused": "error",
    "signing-resumed": "administration",
    "export-requested": "administration",
    "siem-stream-created": "administration",
    "siem-stream-changed": "administration",
    "siem-stream-deleted": "administration",
    "siem-secret-rotated": "administration",
    "siem-entries-lost": "error",
    "siem-delivered": "platform",
    "siem-checked": "platform",
    "inventory-differed": "privacy",
    "day-forgotten": "privacy",
    "hold-placed": "privacy",
    "hold-lifted": "privacy",
    "forgetting-stopped": "error",
    "detail-missing": "error",
    "trail-read": "privacy",
    "execution-opened": "privacy",
    "call-opened": "privacy",
    "file-opened": "privacy",
    "result-opened": "privacy",
    "errors-searched": "privacy",
    "inventory-checked": "privacy",
    "checkpoint-signed": "platform",
    "digest-signed": "platform",
    "service-started": "platform",
    "service-stopped": "platform",
}
_BY_SERVICE: dict[str, Category] = {
    "identity": "administration",
    "workflows": "workflow",
    "executor": "execution",
    "billing": "billing",
    "subscriptions": "integration",
}
# The permanent layer knows no finer one than this.
_COARSE: dict[Category, str] = {"workflow": "administration"}
_FAILED = frozenset({"failed", "timed-out", "impossible", "undelivered", "stopped"})
_REFUSED = frozenset({"refused", "unmatched"})
_FAILURES = frozenset(
    {"reader-stopped", "event-skipped", "gap-found", "producer-silent", "count-differed",
     "siem-entries-lost", "forgetting-stopped", "detail-missing"}
)  # fmt: skip
# What carries the trail away: a checkpoint for it alone is made once an hour, and told nobody.
_TRANSPORT = frozenset(
    {
        "checkpoint-signed",
        "digest-signed",
        "delivery-ended",
        "siem-delivered",
        "siem-checked",
        "trail-read",
    }
)


_LOOKS = frozenset({"opened", "read"})
_OF_THE_API = frozenset({"access-refused", "api-usage-recorded"})


class _Data(msgspec.Struct):
    outcome: Any = None


class _Use(msgspec.Struct):
    operation: str


_outcome = msgspec.json.Decoder(_Data).decode
_operation = msgspec.json.Decoder(_Use).decode


def category_of(event_type: str) -> Category:
    """One of about ten kinds of things that happen, from the event's type alone."""
    service, _, name = event_type.partition(".event.")
    return _BY_NAME.get(name) or _BY_SERVICE.get(service, "other")


def class_of(event_type: str) -> str:
    """The class of the entry's leaf (docs/trail-format.md, section 2)."""
    if event_type.partition(".event.")[2] in _TRANSPORT:
        return "transport"
    category = category_of(event_type)
    return _COARSE.get(category, category)


def outcome_of(event_type: str, data: bytes) -> Outcome:
    """What the event says became of it; what says nothing went well."""
    name = event_type.partition(".event.")[2]
    said = _outcome(data).outcome if b'"outcome"' in data else None
    if "refused" in name or (isinstance(said, str) and said in _REFUSED):
        return "refused"
    failed = name in _FAILURES or name.endswith("-failed")
    return "failure" if failed or (isinstance(said, str) and said in _FAILED) else "success"


def kind_of(stream: str) -> str:
    """`workflow` of `workflow-org_1-wf_2`."""
    return stream.partition("-")[0]


def resource_of(stream: str) -> str:
    """`wf_2` of `workflow-org_1-wf_2`; the organization when the stream is the organization's.

    A look's stream names its reader and hour behind the thing.
    """
    kind, organization, *key = stream.split("-", 2)
    if kind in _LOOKS and key:
        return key[0].partition("-")[0]
    return key[0] if key else organization


def target_of(event_type: str, stream: str, data: bytes) -> str:
    """What it was done to: the thing of its stream; of a use of the API, which operation."""
    if event_type.partition(".event.")[2] in _OF_THE_API:
        return _operation(data).operation
    return resource_of(stream)
