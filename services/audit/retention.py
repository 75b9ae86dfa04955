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
        "proofs", None, "checkpoints and digests: what was signed stays provable for ever",
        Purpose.TRAIL, Basis.LEGITIMATE_INTEREST, tables=("checkpoints", "digests"),
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
        Purpose.TRAIL, Basis.LEGITIMATE_INTEREST, events=("export-requested",),
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
