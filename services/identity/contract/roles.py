"""Permissions, and the roles of an organization that have them."""

from enum import StrEnum

WHO_MAY_READ = frozenset({"workflows:read", "triggers:read", "executions:read", "events:read"})
EVERYBODY = frozenset({"organizations:read", "members:read"})
RUNS = frozenset({"executions:start", "executions:control", "triggers:resend", "approvals:decide"})
BUILDS = frozenset(
    {
        "workflows:edit",
        "workflows:publish",
        "workflows:review",
        "secrets:manage",
        "payloads:read",
        "subscriptions:manage",
    }
)
MANAGES = frozenset({"organizations:manage", "members:manage"})


class Role(StrEnum):
    """What a member is in an organization."""

    OWNER = "owner"
    ADMIN = "admin"
    BUILDER = "builder"
    RUNNER = "runner"
    VIEWER = "viewer"
    AUDITOR = "auditor"
    BILLING = "billing"


_RUNNER = EVERYBODY | WHO_MAY_READ | RUNS | {"subscriptions:read", "api-keys:manage"}
_BUILDER = _RUNNER | BUILDS
_ADMIN = _BUILDER | MANAGES | {"usage:read", "audit:read"}

ROLES: dict[Role, frozenset[str]] = {
    Role.OWNER: _ADMIN | {"plans:manage", "audit:export"},
    Role.ADMIN: _ADMIN,
    Role.BUILDER: _BUILDER,
    Role.RUNNER: _RUNNER,
    Role.VIEWER: EVERYBODY | WHO_MAY_READ,
    Role.AUDITOR: EVERYBODY
    | WHO_MAY_READ
    | {"subscriptions:read", "usage:read", "audit:read", "audit:export"},
    Role.BILLING: EVERYBODY | {"usage:read", "plans:manage"},
}
PERMISSIONS: frozenset[str] = frozenset().union(*ROLES.values())

# Roles that see and revoke everybody's API keys; builder and runner only their own.
ALL_API_KEYS = frozenset({Role.OWNER, Role.ADMIN})


def rank(role: Role) -> int:
    """Nobody gives, changes or removes a role of a higher rank than their own."""
    return {Role.OWNER: 3, Role.ADMIN: 2}.get(role, 1)
