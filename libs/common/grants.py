"""Who may ask for data keys of which purpose; identity checks it, docs/permissions.md shows it."""

from typing import Literal

Purpose = Literal["content", "executions", "secrets", "profile"]

GRANTS: dict[str, frozenset[str]] = {
    "identity": frozenset({"content", "profile"}),
    "workflows": frozenset({"content", "secrets"}),
    "executor": frozenset({"content", "executions", "secrets"}),
    "gateway": frozenset({"content", "executions", "secrets"}),
    "subscriptions": frozenset({"content", "secrets"}),
    "billing": frozenset(),
    "audit": frozenset(),
}
