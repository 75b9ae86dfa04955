"""How two documents differ, step by step; documents may have problems, so only JSON is read."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from libs.language.source import pointer_of
from services.workflows.contract import (
    ChangeShown,
    StepChanged,
    StepMoved,
    StepShown,
    TriggerChanged,
)

Path = tuple[str | int, ...]
# Values are data: what looks like a step in them is none.
DATA = frozenset({"with", "set", "output", "input", "tests", "values"})
KINDS = ("set", "uses", "choose", "for_each", "parallel", "try", "wait", "approval", "workflow",
         "python", "agent")  # fmt: skip
TRIGGER_KINDS = ("webhook", "schedule", "event", "mcp")
NO_SETTINGS = frozenset({"steps", "on", "on_error"})
MISSING = object()


@dataclass(frozen=True, slots=True)
class Step:
    """A step as it stands in a document: `block` names the list it is in by the steps around."""

    id: str
    path: Path
    block: tuple[str, ...]
    value: Mapping[str, Any]

    @property
    def pointer(self) -> str:
        return pointer_of(self.path)

    @property
    def kind(self) -> str:
        return next((kind for kind in KINDS if kind in self.value), "unknown")

    def shown(self) -> StepShown:
        return StepShown(id=self.id, kind=self.kind, pointer=self.pointer)


@dataclass(frozen=True, slots=True)
class Difference:
    """What was done to the old document to make it the new one."""

    steps_added: list[StepShown]
    steps_removed: list[StepShown]
    steps_changed: list[StepChanged]
    steps_moved: list[StepMoved]
    triggers: list[TriggerChanged]
    settings: list[ChangeShown]


def compare(old: Any, new: Any) -> Difference:
    before, after = steps_of(old), steps_of(new)
    both = [step_id for step_id in after if step_id in before]
    elsewhere = moved(before, after)
    changed = [
        StepChanged(id=each, changes=found)
        for each in both
        if (found := _changes(_own(before[each].value), _own(after[each].value),
                              before[each].path, after[each].path))
    ]  # fmt: skip
    return Difference(
        steps_added=[s.shown() for s in after.values() if s.id not in before],
        steps_removed=[s.shown() for s in before.values() if s.id not in after],
        steps_changed=changed,
        steps_moved=[
            StepMoved(id=each, old_pointer=before[each].pointer, new_pointer=after[each].pointer)
            for each in both
            if each in elsewhere
        ],
        triggers=_triggers(old, new),
        settings=_changes(_settings(old), _settings(new), (), ()),
    )


def _settings(value: Any) -> dict[str, Any]:
    """All that is neither a step nor a trigger; of `on_error` what is beside its steps."""
    value = value if isinstance(value, dict) else {}
    found = {key: inner for key, inner in value.items() if key not in NO_SETTINGS}
    if "on_error" in value:
        found["on_error"] = _own(value["on_error"])
    return found


# -- steps ---------------------------------------------------------------------------------------


def steps_of(document: Any) -> dict[str, Step]:
    """Every step by its id, in the order of the document; of two with one id the first."""
    found: dict[str, Step] = {}
    for step in _steps_in(document, (), ()):
        found.setdefault(step.id, step)
    return found


def _steps_in(value: Any, path: Path, block: tuple[str, ...]) -> Iterator[Step]:
    if isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _steps_in(inner, (*path, place), (*block, str(place)))
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if key == "steps" and isinstance(inner, list):
            for place, step in enumerate(inner):
                here = (*path, key, place)
                if isinstance(step, dict) and isinstance(step.get("id"), str):
                    yield Step(step["id"], here, block, step)
                    yield from _steps_in(step, here, (step["id"],))
        elif key not in DATA:
            yield from _steps_in(inner, (*path, key), (*block, key))


def _own(value: Any) -> Any:
    """A step without the steps inside it: these are compared by themselves."""
    if isinstance(value, list):
        return [_own(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {
        key: inner if key in DATA else _own(inner)
        for key, inner in value.items()
        if not (key == "steps" and isinstance(inner, list))
    }


def moved(before: Mapping[str, Step], after: Mapping[str, Step]) -> set[str]:
    """Steps in another block, and as few as explain the other order of the rest."""
    both = [each for each in after if each in before]
    gone = {each for each in both if before[each].block != after[each].block}
    blocks: dict[tuple[str, ...], list[str]] = {}
    for each in both:
        if each not in gone:
            blocks.setdefault(after[each].block, []).append(each)
    places = {each: place for place, each in enumerate(before)}
    for members in blocks.values():
        kept = _longest_rising([places[each] for each in members])
        gone.update(each for each in members if places[each] not in kept)
    return gone


def _longest_rising(numbers: Sequence[int]) -> set[int]:
    """The numbers of one longest rising subsequence."""
    ends: list[int] = []
    lengths: list[int] = []
    for number in numbers:
        at = bisect_left(ends, number)
        ends[at : at + 1] = [number]
        lengths.append(at)
    kept: set[int] = set()
    wanted = len(ends) - 1
    for number, length in zip(reversed(numbers), reversed(lengths), strict=True):
        if length == wanted and (not kept or number < min(kept)):
            kept.add(number)
            wanted -= 1
    return kept


# -- triggers ------------------------------------------------------------------------------------


def _triggers(old: Any, new: Any) -> list[TriggerChanged]:
    before, after = _by_name(old), _by_name(new)
    found: list[TriggerChanged] = []
    for name in dict.fromkeys([*before, *after]):
        (old_path, was), (new_path, now) = before.get(name, NOWHERE), after.get(name, NOWHERE)
        both = old_path is not None and new_path is not None
        changes = _changes(was, now, old_path or (), new_path or ()) if both else []
        if changes or not both:
            found.append(
                TriggerChanged(
                    trigger=name, changes=changes,
                    old_pointer=None if old_path is None else pointer_of(old_path),
                    new_pointer=None if new_path is None else pointer_of(new_path),
                )
            )  # fmt: skip
    return found


NOWHERE: tuple[Path | None, Any] = (None, None)


def _by_name(document: Any) -> dict[str, tuple[Path | None, Any]]:
    """Triggers by their id; without one by kind and path or type, else by kind and number."""
    listed = document.get("on") if isinstance(document, dict) else None
    found: dict[str, tuple[Path | None, Any]] = {}
    for place, value in enumerate(listed if isinstance(listed, list) else []):
        name = _name_of(value, place, lambda taken: taken in found)
        found[name] = (("on", place), value)
    return found


def _name_of(value: Any, place: int, taken: Callable[[str], bool]) -> str:
    value = value if isinstance(value, dict) else {}
    kind = next((kind for kind in TRIGGER_KINDS if kind in value), "trigger")
    inner = value.get(kind)
    about = inner if isinstance(inner, dict) else {}
    said = value.get("id") or about.get("path") or about.get("type")
    tail = said if isinstance(said, str) and said.isascii() and len(said) <= 100 else "0"
    name = tail.lower() if value.get("id") == tail else f"{kind}:{tail.lower()}"
    name = "".join(c if c.isalnum() or c in "._:/*@-" else "-" for c in name)
    number = 1
    while taken(name):
        name, number = f"{kind}:{number}", number + 1
    return name


# -- values --------------------------------------------------------------------------------------


def _changes(old: Any, new: Any, old_at: Path, new_at: Path) -> list[ChangeShown]:
    """Each value that differs, as deep as both are objects or lists of one length."""
    return [
        ChangeShown(
            key=pointer_of(key),
            old_pointer=None if was is MISSING else pointer_of((*old_at, *key)),
            new_pointer=None if now is MISSING else pointer_of((*new_at, *key)),
            old=None if was is MISSING else was, new=None if now is MISSING else now,
        )
        for key, was, now in _differences(old, new, ())
    ]  # fmt: skip


def _differences(old: Any, new: Any, key: Path) -> Iterator[tuple[Path, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*old, *new]):
            yield from _differences(old.get(name, MISSING), new.get(name, MISSING), (*key, name))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, pair in enumerate(zip(old, new, strict=True)):
            yield from _differences(*pair, (*key, place))
    elif type(old) is not type(new) or old != new:
        yield key, old, new
