"""A timeline in the terminal: what happened in an execution, as it happens."""

from datetime import datetime
from typing import Any

from cli.output import length

GOOD = {"done", "succeeded", "due"}
BAD = {"failed", "refused"}
BY_SOMEBODY = ("started", "cancel-requested")


def line_of(entry: dict[str, Any], started_at: str) -> str:
    """`  1.204 s  step         total  done  3 ms`; names and times only, never a payload."""
    parts = [f"{offset_s(entry['at'], started_at):9.3f} s", entry["kind"].ljust(20)]
    parts.append((entry.get("step") or "").ljust(24))
    words = [entry.get("status") or ""]
    if (entry.get("attempt") or 1) > 1:
        words.append(f"attempt {entry['attempt']}")
    if entry.get("duration_ms") is not None:
        words.append(length(entry["duration_ms"]))
    if entry.get("due_at"):
        words.append(f"until {entry['due_at'][11:23]}")
    if entry.get("error"):
        words.append(f"error {entry['error']['type']}")
    if entry.get("by") and entry["kind"] in BY_SOMEBODY:
        words.append(f"by {entry['by']}")
    return ("  ".join(parts) + "  " + "  ".join(filter(None, words))).rstrip()


def style_of(entry: dict[str, Any]) -> str:
    status = entry.get("status") or ""
    if entry.get("error") or status in BAD or entry["kind"] == "egress-refused":
        return "red"
    if status in GOOD:
        return "green"
    return "yellow" if entry["kind"].startswith("wait") else ""


def ending(shown: dict[str, Any]) -> str:
    """The last line: outcome, how long it took, what it did."""
    words = [f"{shown['id']} {shown['status']} after {length(shown['duration_ms'])}"]
    words.append(f"{shown['steps_count']} steps, {shown['effects_count']} effects")
    if shown.get("error"):
        error = shown["error"]
        where = f" in {error['step']}" if error.get("step") else ""
        words.append(f"{error['type']}{where}")
    return "; ".join(words)


def offset_s(at: str, started_at: str) -> float:
    """Never below zero: steps that ran before the start was committed came with it."""
    return max(0.0, (moment(at) - moment(started_at)).total_seconds())


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
