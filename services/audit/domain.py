"""What an event is entered as: its category, and the thing that it is about. Pure."""

from services.audit.contract import Category

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
    "reader-stopped": "error",
    "event-skipped": "error",
    "gap-found": "error",
    "gap-closed": "error",
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


def category_of(event_type: str) -> Category:
    """One of about ten kinds of things that happen, from the event's type alone."""
    service, _, name = event_type.partition(".event.")
    return _BY_NAME.get(name) or _BY_SERVICE.get(service, "other")


def kind_of(stream: str) -> str:
    """`workflow` of `workflow-org_1-wf_2`."""
    return stream.partition("-")[0]


def resource_of(stream: str) -> str:
    """`wf_2` of `workflow-org_1-wf_2`; the organization when the stream is the organization's."""
    _, organization, *key = stream.split("-", 2)
    return key[0] if key else organization
