"""What workflows keeps, and how long."""

from libs.common.purposes import Basis, Purpose
from libs.common.retention import Retention

RULES = (
    Retention(
        "workflows", None, "drafts, saves, published versions and notes, sealed",
        Purpose.WORKFLOWS, Basis.CONTRACT,
        keys=("content",),
        tables=("workflows", "drafts", "versions", "reviews", "triggers", "hook_paths"),
        events=(
            "draft-saved", "publishing-policy-set", "review-requested", "review-decided",
            "workflow-drafted", "workflow-published", "workflow-rolled-back",
            "workflow-enabled", "workflow-disabled", "workflow-archived",
            "publishing-gate-set", "differences-accepted",
        ),
    ),
    Retention(
        "schedules", None, "what is due next, and the instants that were decided",
        Purpose.WORKFLOWS, Basis.CONTRACT, tables=("schedules", "ticks"),
        events=("schedule-ticked",),
    ),
    Retention(
        "secrets", None, "the newest value, sealed, until it is replaced or deleted",
        Purpose.WORKFLOWS, Basis.CONTRACT, keys=("secrets",),
        tables=("secrets", "secret_values", "secret_uses"),
        events=("secret-stored", "secret-deleted"),
    ),
    Retention(
        "variables", None, "every value that was set, sealed",
        Purpose.WORKFLOWS, Basis.CONTRACT, keys=("content",), tables=("variables",),
        events=("variable-set", "variable-deleted"),
    ),
)  # fmt: skip
