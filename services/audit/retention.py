"""What audit keeps, and for how long."""

from libs.common.purposes import Basis, Purpose
from libs.common.retention import Retention

RULES = (
    Retention(
        "leaves", None, "hashes, days and classes of all entries: the trail only grows",
        Purpose.TRAIL, Basis.LEGITIMATE_INTEREST,
        tables=("audit_leaf", "audit_tree", "trail_heads", "taken", "event_types"),
    ),
    Retention(
        "trails", None, "which trail is whose, as long as the organization",
        Purpose.TRAIL, Basis.LEGITIMATE_INTEREST, tables=("trails",),
    ),
    Retention(
        "detail", 90, "who, what, when and from where, under keys of days that are destroyed",
        Purpose.SECURITY, Basis.LEGITIMATE_INTEREST, tables=("audit_detail",),
        keys=("day", "audit"),
        files=("keys/audit-days", "keys-second/audit-days"),
    ),
    Retention(
        "forgotten", None, "what was forgotten and when, its receipts, counts without small groups",
        Purpose.TRAIL, Basis.LEGAL_OBLIGATION,
        tables=("forget_ledger", "forgotten_days", "detail_days", "receipts"),
        events=("day-forgotten", "forgetting-stopped", "detail-missing"),
    ),
    Retention(
        "holds", None, "that entries are or were kept for a case: why, which, and until when",
        Purpose.TRAIL, Basis.LEGAL_OBLIGATION, tables=("holds",),
        events=("hold-placed", "hold-lifted"), keys=("installation",),
    ),
    Retention(
        "cases", None, "entries that a case needs, under its own key, until it is lifted or over",
        Purpose.SECURITY, Basis.LEGAL_OBLIGATION, tables=("hold_entries", "hold_marks"),
        files=("keys/audit-holds", "keys-second/audit-holds"), keys=("hold",),
    ),
    Retention(
        "proofs", None, "what was signed, by witnesses too, stays provable for ever",
        Purpose.TRAIL, Basis.LEGITIMATE_INTEREST,
        tables=("checkpoints", "cosignatures", "digests"),
        events=(
            "checkpoint-signed", "checkpoint-refused", "signing-resumed", "digest-signed",
            "producer-silent", "count-differed",
        ),
    ),
    Retention(
        "exports", 1, "where the parts of an export begin, for a day after its end; no content",
        Purpose.TRAIL, Basis.LEGITIMATE_INTEREST, tables=("exports", "export_parts"),
    ),
    Retention(
        "taken-away", None, "which parts of the trail somebody has taken away, and when",
        Purpose.TRAIL, Basis.LEGITIMATE_INTEREST, events=("export-requested", "trail-read"),
    ),
    Retention(
        "siem", None, "where the trail is carried live, how far, and what became of it",
        Purpose.TRAIL, Basis.CONTRACT, tables=("siem_streams", "siem_secrets"),
        keys=("audit", "installation"),
        events=(
            "siem-stream-created", "siem-stream-changed", "siem-stream-deleted",
            "siem-secret-rotated", "siem-delivered", "siem-checked", "siem-entries-lost",
        ),
    ),
    Retention(
        "gaps", None, "numbers that were missing, and since when they are there",
        Purpose.TRAIL, Basis.LEGITIMATE_INTEREST, tables=("gaps",),
        events=("gap-found", "gap-closed"),
    ),
    Retention(
        "inventory", None, "when the live system was held against the inventory, and what differed",
        Purpose.TRAIL, Basis.LEGAL_OBLIGATION, events=("inventory-checked", "inventory-differed"),
    ),
)  # fmt: skip
