"""The timeline of the execution as it happens; what each item of a loop did becomes one line."""

from datetime import datetime
from typing import Any

from cli import watch
from cli.client import Api
from cli.demo.telling import Teller
from cli.timeline import line_of, moment, offset_s, style_of

WAITS = ("wait-began", "timer")


class Timeline:
    """Tells each entry once, in order."""

    def __init__(self, api: Api, execution: str, teller: Teller) -> None:
        self._api, self._teller = api, teller
        self.execution = execution
        self.started_at = watch.find(api, execution)["started_at"]
        self.due_at: datetime | None = None
        self.ended: str | None = None
        self._seen: set[str] = set()
        self._items: list[dict[str, Any]] = []

    def fresh(self) -> list[dict[str, Any]]:
        """What was not told yet."""
        every = watch.entries(self._api, self.execution)
        return [entry for entry in every if entry["id"] not in self._seen]

    def tell(self, entries: list[dict[str, Any]]) -> None:
        for entry in entries:
            self._seen.add(entry["id"])
            if "[" in (entry.get("step") or ""):
                self._items.append(entry)
                continue
            self._tell_items()
            self._teller.say(line_of(entry, self.started_at), style_of(entry) or None)
            if (entry["kind"], entry.get("status")) == WAITS:
                self.due_at = moment(entry["due_at"])
            if entry["kind"] == "finished":
                self.ended = entry["status"]

    def mark(self, at: datetime, kind: str, text: str, colour: str) -> None:
        """A line of the demo's own between those of the timeline."""
        offset = offset_s(at.isoformat(), self.started_at)
        self._teller.say(f"{offset:9.3f} s  {kind.ljust(20)}  {text}", colour)

    def _tell_items(self) -> None:
        ended = [entry for entry in self._items if entry["kind"] == "effect-ended"]
        if ended:
            step = ended[-1]["step"].partition("[")[0]
            done = sum(1 for entry in ended if entry["status"] == "done")
            failed = f", {len(ended) - done} failed" if done < len(ended) else ""
            summary = {
                "kind": "effects", "step": step, "status": f"{done} done{failed}",
                "at": ended[-1]["at"],
            }  # fmt: skip
            self._teller.say(line_of(summary, self.started_at))
        self._items = []
