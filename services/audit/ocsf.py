"""An entry as an event of OCSF 1.3: Authentication (3002) or API Activity (6003).

`metadata.uid` is the event's id, `metadata.log_name` the trail, `metadata.sequence` its place.
What OCSF has no attribute for stands in `unmapped.troth`: class, day and leaf, with which the entry
is found in an export or a proof file of the same trail, and so proved.
"""

from datetime import datetime
from typing import Any

from libs.trail.notes import b64
from services.audit.detail import Opened
from services.audit.domain import category_of
from services.audit.stored import Entry

VERSION = "1.3.0"
PRODUCT = {"name": "Troth", "vendor_name": "Troth"}
AUTHENTICATION, API_ACTIVITY = 3002, 6003
CATEGORIES = {AUTHENTICATION: (3, "Identity & Access Management"), API_ACTIVITY: (
    6, "Application Activity")}  # fmt: skip
CLASSES = {AUTHENTICATION: "Authentication", API_ACTIVITY: "API Activity"}
OTHER = 99
LOGON, LOGOFF = 1, 2
SESSIONS = {
    "session-opened": LOGON, "sign-in-refused": LOGON, "sign-in-link-used": LOGON,
    "session-closed": LOGOFF,
}  # fmt: skip
# By the last word of the event's name; what fits none is told as 99, with its own name.
VERBS = {
    1: ("created", "registered", "founded", "drafted", "issued", "added", "stored", "started",
        "requested", "opened", "appointed", "began", "placed"),
    2: ("recorded", "read", "searched", "exported", "checked"),
    3: ("changed", "set", "saved", "published", "enabled", "disabled", "rotated", "resumed",
        "paused", "migrated", "accepted", "decided", "progressed", "finished", "ended"),
    4: ("deleted", "removed", "revoked", "destroyed", "archived", "withdrawn", "forgotten"),
}  # fmt: skip
ACTIVITIES = {word: number for number, words in VERBS.items() for word in words}
NAMES = {1: "Create", 2: "Read", 3: "Update", 4: "Delete"}
LOGONS = {LOGON: "Logon", LOGOFF: "Logoff"}
STATUS = {"success": (1, "Success"), "failure": (2, "Failure"), "refused": (2, "Failure")}
INFORMATIONAL, LOW = 1, 2


def event(trail: str, entry: Entry, opened: Opened | None) -> dict[str, Any]:
    """One that is forgotten is told with what is left: day, class and leaf."""
    if opened is None:
        return _base(trail, entry, API_ACTIVITY, OTHER, "Forgotten") | {
            "time": entry.day * 86_400_000, "status_id": 0, "severity_id": INFORMATIONAL,
            "api": {"operation": "forgotten"}, "actor": {"app_name": "forgotten"},
            "src_endpoint": {"name": "forgotten"},
        }  # fmt: skip
    type_ = opened["type"] or ""
    name = type_.partition(".event.")[2]
    of_person = _user(opened["actor"] or "")
    made = _authentication(trail, entry, opened, name)
    if made is None:
        number = ACTIVITIES.get(name.rpartition("-")[2], OTHER)
        made = _base(trail, entry, API_ACTIVITY, number, NAMES.get(number, name)) | {
            "api": {"operation": type_, "service": {"name": opened["producer"]},
                    "request": {"uid": opened["request"] or ""}},
            "resources": [{"uid": opened["resource"], "type": opened.kind,
                           "version": opened["version"]}],
        }  # fmt: skip
    status, said = STATUS[opened["outcome"] or "success"]
    moment = datetime.fromisoformat(opened["time"] or "")
    address = opened["address"]
    made |= {
        "time": int(moment.timestamp() * 1000), "status_id": status, "status": said,
        "status_detail": opened["outcome"],
        "severity_id": INFORMATIONAL if status == 1 else LOW,
        "actor": {"user": of_person} if of_person else {"app_name": opened["actor"]},
        "src_endpoint": {"ip": address} if address else {"svc_name": opened["producer"]},
    }  # fmt: skip
    if opened["agent"]:
        made["http_request"] = {"user_agent": opened["agent"]}
    made["metadata"] |= {
        "uid": opened["id"], "event_code": type_, "original_time": opened["time"],
        "log_provider": opened["producer"], "correlation_uid": opened["request"],
    }  # fmt: skip
    if opened["data"] is not None:
        made["unmapped"]["troth"]["data"] = opened["data"]
    return made


def _authentication(trail: str, entry: Entry, opened: Opened, name: str) -> dict[str, Any] | None:
    """None for what is no session; `user` is who signs in, as far as it is known."""
    if category_of(opened["type"] or "") != "authentication" or name not in SESSIONS:
        return None
    number = SESSIONS[name]
    actor = opened["actor"] or ""
    return _base(trail, entry, AUTHENTICATION, number, LOGONS[number]) | {
        "user": _user(actor) or {"name": "unknown", "type_id": 0},
        "service": {"name": opened["producer"]}, "is_remote": True,
    }  # fmt: skip


def _base(trail: str, entry: Entry, kind: int, activity: int, name: str) -> dict[str, Any]:
    category, said = CATEGORIES[kind]
    return {
        "category_uid": category, "category_name": said, "class_uid": kind,
        "class_name": CLASSES[kind], "activity_id": activity, "activity_name": name,
        "type_uid": kind * 100 + activity, "type_name": f"{CLASSES[kind]}: {name}",
        "metadata": {"version": VERSION, "product": PRODUCT, "log_name": trail,
                     "sequence": entry.seq},
        "unmapped": {"troth": {
            "trail": trail, "seq": entry.seq, "day": entry.day, "class": entry.class_,
            "leaf": b64(entry.leaf),
        }},
    }  # fmt: skip


def _user(actor: str) -> dict[str, Any] | None:
    """People and API keys; the system itself is no user."""
    if actor.startswith("system:") or not actor:
        return None
    return {"uid": actor, "type_id": 1 if actor.startswith("per_") else 99}
