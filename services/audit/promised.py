"""The six categories that are promised publicly, and to which of them an event belongs. Pure."""

from services.audit.contract import Category, Outcome
from services.audit.domain import category_of

_OF: dict[Category, str] = {
    "authentication": "authentication",
    "api-usage": "API usage",
    "execution": "workflow execution",
    "integration": "integration activity",
    "error": "errors",
    "administration": "administrative access",
    "workflow": "administrative access",
    "billing": "administrative access",
    "privacy": "administrative access",
    "platform": "administrative access",
}
SIX = frozenset(_OF.values())


def promised_of(event_type: str, outcome: Outcome = "success") -> str:
    """What failed is an error, whatever it was; empty for an event that nobody has put anywhere."""
    return _OF["error"] if outcome == "failure" else _OF.get(category_of(event_type), "")
