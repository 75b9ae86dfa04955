"""What the executor keeps, and how long."""

from libs.common.purposes import Basis, Purpose
from libs.common.retention import Retention
from services.executor import file_collector, forgetting, operations
from services.executor.arrivals import KEEP_DAYS

RULES = (
    Retention(
        "executions", None, "log and views, until the retention of plans is enforced",
        Purpose.WORKFLOWS, Basis.CONTRACT,
        keys=("executions",),
        tables=(
            "executions", "execution_labels", "approvals", "calls", "replies", "snapshots",
            "timers",
        ),
        events=(
            "execution-started", "execution-progressed", "execution-finished",
            "execution-migrated", "execution-paused", "execution-resumed", "execution-replayed",
            "cancel-requested", "late-result-refused", "effect-began", "effect-ended",
            "egress-refused", "step-tried", "wait-began", "wait-ended", "input-collected",
            "starts-collected", "rollback-began", "undo-began", "undo-ended",
            "approval-requested", "approval-reminded", "approval-decided", "approval-expired",
            "call-resent", "trigger-call-refused", "trigger-call-repeated",
            "trigger-call-unmatched", "custom-event-emitted", "event-offered",
            "operation-requested", "operation-ended", "execution-forgotten",
            "reversal-began", "reversal-ended",
        ),
    ),
    Retention(
        "limits", None, "counts and instants that decide when a start may begin",
        Purpose.RUNNING, Basis.CONTRACT,
        tables=("collecting", "entitlements", "quota", "rates"),
    ),
    Retention(
        "published", None, "what other services said: workflows, variables, ticks",
        Purpose.WORKFLOWS, Basis.CONTRACT,
        keys=("content",), tables=("published", "ticks", "variables", "workflow_states"),
    ),
    Retention(
        "arrivals", KEEP_DAYS, "public events for triggers and waits, 10,000 of a type",
        Purpose.WORKFLOWS, Basis.CONTRACT, tables=("arrivals", "listeners"),
    ),
    Retention(
        "operations", operations.KEEP_DAYS, "long work and what became of each piece",
        Purpose.WORKFLOWS, Basis.CONTRACT, tables=("operations", "operation_pieces"),
        keys=("executions",),
    ),
    Retention(
        "forgotten", forgetting.AFTER_DAYS + 1,
        "ended executions that somebody deleted: they are not shown from then on, and leave the log"
        " when the trail has their numbers",
        Purpose.WORKFLOWS, Basis.CONTRACT, tables=("forgotten",),
    ),
    Retention(
        "files", file_collector.KEEP_DAYS,
        "what no execution refers to, from when it was last sent",
        Purpose.WORKFLOWS, Basis.CONTRACT, keys=("executions",),
        tables=("files", "file_pieces", "file_references"),
        events=("file-stored", "file-collected"),
    ),
    Retention(
        "work", None, "starts on their way from the door, until an executor has taken them",
        Purpose.WORKFLOWS, Basis.CONTRACT, streams=("WORK",), keys=("executions", "day"),
    ),
)  # fmt: skip
