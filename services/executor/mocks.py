"""What stands in for the world in a simulation: answers by step, and what they look like."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from services.executor.failure import StepFailed
from services.executor.host import MISSING
from services.executor.paths import Place, place_of

UNDO = ":undo"


class Unmocked(Exception):
    """Something outside was asked for that nothing stands in for; the simulation ends there."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path, self.why = path, why


class Answers(Protocol):
    """What answers in a simulation; each raises StepFailed when the answer is a failure."""

    def effect(self, path: str, attempt: int) -> Any:
        """A connector's output; raises Unmocked when there is none."""
        ...

    def instead(self, path: str) -> Any:
        """The result of a step that is not to be walked, or MISSING."""
        ...

    def decision(self, path: str) -> dict[str, Any]:
        """What people say: decision, decided_by, comment, input."""
        ...

    def child(self, path: str) -> Any:
        """The output of a sub-workflow."""
        ...

    def event(self, path: str) -> Any:
        """The event that comes for a wait, or MISSING."""
        ...

    def began(self, path: str) -> datetime | None:
        """When the step began, where that is known."""
        ...


class CaseMocks:
    """The `mocks` of a test: by a step's id a result, a list of them, or {"error": …}.

    A list is by item of the loops around the step, else by attempt (of pages: by page, of calls
    in Python: `{"calls": [...]}` by call).
    """

    def __init__(self, mocks: Mapping[str, Any]) -> None:
        self._mocks = mocks

    def effect(self, path: str, attempt: int) -> Any:
        if path.endswith(UNDO):
            return {}
        place = place_of(path)
        found = self._of(place)
        if place.part is not None:
            found = _numbered(found, place.part, path)
        elif isinstance(found, list):
            found = _nth(found, attempt - 1, path, "attempt")
        if found is MISSING:
            raise Unmocked(path, f"nothing stands in for it: give `mocks.{place.id}`")
        return _or_fail(found)

    def instead(self, path: str) -> Any:
        found = self._of(place_of(path))
        if found is MISSING or (isinstance(found, dict) and found.keys() == {"calls"}):
            return MISSING
        return _or_fail(found)

    def decision(self, path: str) -> dict[str, Any]:
        found = self._of(place_of(path))
        if found is MISSING:
            return {"decision": "approved"}
        found = _or_fail(found)
        if not isinstance(found, dict):
            raise Unmocked(path, "a mocked approval is an object: {decision: approved}")
        return {"decision": "approved", **found}

    def child(self, path: str) -> Any:
        place = place_of(path)
        found = self._of(place)
        if found is MISSING:
            raise Unmocked(path, f"nothing stands in for the sub-workflow: `mocks.{place.id}`")
        return _or_fail(found)

    def event(self, path: str) -> Any:
        found = self._of(place_of(path))
        if found is MISSING:
            return MISSING
        found = _or_fail(found)
        if not isinstance(found, dict):
            raise Unmocked(path, "a mocked event is an object: {event: {data: …}}")
        if found.get("reason") == "timed-out":
            return MISSING
        event = found.get("event", found)
        return {"type": None, "data": {}} | (event if isinstance(event, dict) else {})

    def began(self, path: str) -> datetime | None:
        return None

    def _of(self, place: Place) -> Any:
        """The mock of a step, or of its item where it is a list."""
        found = self._mocks.get(place.id, MISSING)
        for number in place.numbers:
            if isinstance(found, list):
                found = _nth(found, number, f"{place.id}[{number}]", "item")
        return found


def _numbered(found: Any, part: str, path: str) -> Any:
    """The answer to page n or call n (from 1) of what is given."""
    if part.startswith("page"):
        return _nth(found, int(part[4:]), path, "page") if isinstance(found, list) else found
    calls = found.get("calls", MISSING) if isinstance(found, dict) else MISSING
    return _nth(calls, int(part) - 1, path, "call") if isinstance(calls, list) else calls


def _nth(found: list[Any], number: int, path: str, what: str) -> Any:
    if number >= len(found):
        raise Unmocked(path, f"the mock has {len(found)} answers, and {what} {number + 1} came")
    return found[number]


def _or_fail(found: Any) -> Any:
    """The value, or the failure that it describes."""
    if not isinstance(found, dict) or found.keys() != {"error"}:
        return found
    error: Any = found["error"]
    if not isinstance(error, dict):
        error = {"type": str(error)}
    status: Any = error.get("status")
    status = status if isinstance(status, int) else None
    raise StepFailed(
        str(error.get("type") or _type_of(status)),
        str(error.get("message", "mocked")),
        status=status,
    )


def _type_of(status: int | None) -> str:
    if status is None or status < 400:
        return "server-error"
    if status == 429:
        return "rate-limited"
    return "server-error" if status >= 500 else "client-error"
