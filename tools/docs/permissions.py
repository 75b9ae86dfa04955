"""docs/permissions.md: roles, what asks need, who may have which keys, who may say what."""

from cli.permissions import users
from libs.common.grants import GRANTS, OPENS
from services.identity.contract import PERMISSIONS, ROLES
from tools import inventory
from tools.docs.markdown import code, page, table
from tools.docs.nats import readers

INTRODUCTION = """
A permission is checked at the door, and again by the service that is asked, before its handler
runs. API keys have scopes: never more than the role of the person who made them.
"""
KEYS = """
Data keys are made, kept and destroyed by identity alone. Others ask for a key of one purpose,
get it wrapped, unwrap it with the installation's key and forget it after ten minutes. A service
opens what its own records hold sealed, and of others what is listed below it.
"""
SUBJECTS = """
Each service is a NATS user of its own; what is not listed is refused by the server. A key is asked
for on a subject that ends with its purpose and the service that asks, and each may publish on its
own of these only. All lists are made by `cli/permissions.py`: for the embedded server, for
`troth nats-users`, and for `deploy/nats/nats.conf`, where `migrate` makes the streams instead of
the services. `troth doctor` asks the running server what each user may, and names a difference.
"""


def permissions_page() -> str:
    return page(
        "Permissions", INTRODUCTION, "## Roles", _roles(), "## What each command and query needs",
        _asks(), "## Data keys", KEYS, _keys(), "## Subjects of the bus", SUBJECTS, _subjects(),
    )  # fmt: skip


def _roles() -> str:
    rows = [
        (code(permission), *("yes" if permission in held else "" for held in ROLES.values()))
        for permission in sorted(PERMISSIONS)
    ]
    return table(("permission", *(role.value for role in ROLES)), rows)


def _asks() -> str:
    rows = [(code(ask.type), code(ask.permission or "")) for ask in inventory.asks()]
    return table(("asked", "permission"), rows)


def _keys() -> str:
    rows = [(name, ", ".join(sorted(held)) or "none") for name, held in sorted(GRANTS.items())]
    foreign = [
        (name, code(rule), why)
        for name, rules in sorted(OPENS.items())
        for rule, why in rules.items()
    ]
    return "\n\n".join(
        (
            table(("service", "purposes"), rows),
            table(("service", "opens of others", "why"), foreign),
        )
    )


def _subjects() -> str:
    names = inventory.service_names()
    rows = []
    for user in users(readers(), dict.fromkeys(names, "")):
        rows.append((user.name, "publish", ", ".join(code(s) for s in user.publish)))
        rows.append((user.name, "subscribe", ", ".join(code(s) for s in user.subscribe)))
    return table(("user", "may", "subjects"), rows)
