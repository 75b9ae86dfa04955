"""What the executor keeps, and how long."""

from libs.common.purposes import Basis, Purpose
from libs.common.retention import Retention
from services.executor import file_collector, forgetting, operations
from services.executor.arrivals import KEEP_DAYS

RULES = (
    Retention(
        "executions", None,
        "7, 14 or 30 days after the end, or after it came for what began no execution (at most 7"
        " for calls that nobody listened to): log, views and copies of events; never while it runs,"
        " while what started it is there, or while a replay of it runs",
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
            "egress-refused", "wait-began", "wait-ended", "input-collected",
            "starts-collected", "rollback-began", "undo-began", "undo-ended",
            "approval-requested", "approval-reminded", "approval-decided", "approval-expired",
            "call-resent", "trigger-call-refused", "trigger-call-repeated",
            "trigger-call-unmatched", "custom-event-emitted", "event-offered",
            "reversal-began", "reversal-ended",
        ),
        by="its sweeps, with the days of each organization's plan",
    ),
    Retention(
        "acts", None,
        "what was done to executions, by ids and counts: forgotten, left by plan, tried, many at"
        " once; nothing of what they processed",
        Purpose.WORKFLOWS, Basis.CONTRACT,
        events=(
            "operation-requested", "operation-stopped", "operation-ended", "execution-forgotten",
            "history-expired", "step-tried", "call-tried",
        ),
    ),
    Retention(
        "looks", None, "who has read what executions processed, by ids; nothing of what was read",
        Purpose.SECURITY, Basis.LEGITIMATE_INTEREST,
        events=(
            "execution-opened", "call-opened", "file-opened", "result-opened", "errors-searched",
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
        "arrivals", KEEP_DAYS,
        "public events for triggers and waits, 10,000 of a type; those about executions by plan",
        Purpose.WORKFLOWS, Basis.CONTRACT, tables=("arrivals", "listeners"),
    ),
    Retention(
        "operations", operations.KEEP_DAYS, "long work and what became of each piece",
        Purpose.WORKFLOWS, Basis.CONTRACT, tables=("operations", "operation_pieces"),
        keys=("executions", "day"),
    ),
    Retention(
        "forgotten", forgetting.AFTER_DAYS + 1,
        "ended executions that somebody deleted, or whose days are over: they are not shown from"
        " then on, and leave the log when the trail has their numbers",
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
