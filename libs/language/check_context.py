"""The state of one check, and the reading of literal fields: keys, texts, numbers, durations."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from libs.language.check_known import Known
from libs.language.check_report import Report
from libs.language.check_shapes import Budget, Shape
from libs.language.durations import parse_duration
from libs.language.errors import ExpressionError
from libs.language.scan import OPENING
from libs.language.source import Path
from libs.language.steps import Step

STEP_ID = re.compile(r"[a-z][a-z0-9_]{0,39}")
TITLE_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Scope:
    """The names that can be seen at a place, each with what is known about its value."""

    names: Mapping[str, Shape]

    def plus(self, name: str, shape: Shape) -> "Scope":
        """The scope with one name more."""
        return Scope({**self.names, name: shape})


@dataclass(frozen=True, slots=True)
class Made:
    """A step, None if it has problems, and what is known about its result."""

    step: Step | None
    shape: Shape


StepKind = Callable[["Fields", str, str | None, Scope, int], Made]


@dataclass(slots=True)
class Context:
    """What a check gathers while it walks the document once."""

    report: Report
    known: Known
    step_ids: frozenset[str]  # all of the document, for better messages
    kinds: Mapping[str, StepKind]  # how each kind of step is read
    taken: set[str] = field(default_factory=set)
    steps_count: int = 0
    # Used as ordered sets: the order of appearance.
    connectors: dict[str, None] = field(default_factory=dict)
    hosts: dict[str, None] = field(default_factory=dict)
    secrets: dict[str, None] = field(default_factory=dict)
    variables: dict[str, None] = field(default_factory=dict)
    callees: dict[str, None] = field(default_factory=dict)
    egress: tuple[str, ...] | None = None
    looks: Budget = field(default_factory=Budget)
    engines: dict[tuple[str, str], Any] = field(default_factory=dict)


def kind_of(value: Any) -> str:
    """What a value is, in the words of the language."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    names = ((dict, "an object"), (list, "a list"), (str, "text"), (int, "an integer"))
    return next((name for kind, name in names if isinstance(value, kind)), "a number")


class Fields:
    """An object of the document, read key by key; what is wrong goes to the report, once."""

    def __init__(self, context: Context, path: Path, value: Mapping[str, Any]) -> None:
        self.context = context
        self.report = context.report
        self.path = path
        self.value = value

    def __contains__(self, key: str) -> bool:
        return key in self.value

    def at(self, key: str | int) -> Path:
        """The path of a key."""
        return (*self.path, key)

    def only(self, known: Iterable[str], later: Iterable[str] = ()) -> None:
        """Refuse every key that is neither known nor one that comes later."""
        allowed, coming = set(known), set(later)
        for key in self.value:
            if key in allowed:
                continue
            if key in coming:
                self.comes_later(key, key)
            elif OPENING in key:
                detail = "a key can't hold an expression; keys are literal"
                self.report.problem(
                    self.at(key), "expression-in-key", detail, see="fields", of_key=True, found=key
                )
            else:
                detail = f"there is no key {key[:60]!r} here"
                if len(allowed) <= 12:
                    detail += f"; known are {', '.join(sorted(allowed))}"
                near = sorted(allowed | coming)
                self.report.problem(
                    self.at(key), "unknown-key", detail, of_key=True, found=key, near=near
                )

    def comes_later(self, key: str, what: str) -> None:
        """Say that the language has this and this version of Troth does not run it."""
        detail = f"`{what}` is part of the language, but comes later: this version does not run it"
        self.report.problem(self.at(key), "comes-later", detail, of_key=True, found=key)

    def missing(self, key: str, what: str) -> None:
        """Say that a key must be there."""
        self.report.problem(self.path, "key-missing", f"the key `{key}` is missing: {what}")

    def wrong_type(self, key: str, expected: str) -> None:
        """Say what should be there instead."""
        found = kind_of(self.value[key])
        self.report.problem(
            self.at(key), "wrong-type", f"`{key}` must be {expected}, not {found}", found=found
        )

    def literal(self, key: str) -> str | None:
        """A text without expressions, None if there is none (or null is written)."""
        value = self.value.get(key)
        if value is None:
            if key in self.value:
                self.wrong_type(key, "text")
            return None
        if not isinstance(value, str):
            self.wrong_type(key, "text")
            return None
        if OPENING in value:
            detail = f"`{key}` is a literal: it is read when the document is published"
            self.report.problem(
                self.at(key), "expression-not-here", detail, see="fields", found=value
            )
            return None
        return value

    def words(self, key: str, chars_max: int) -> str | None:
        """A literal for people."""
        text = self.literal(key)
        if text is not None and len(text) > chars_max:
            detail = f"`{key}` has {len(text)} characters; at most {chars_max} are allowed"
            self.report.problem(self.at(key), "too-long", detail)
        return text

    def matching(self, key: str, pattern: re.Pattern[str], rule: str, form: str) -> str | None:
        """A literal of a form."""
        text = self.literal(key)
        if text is not None and not pattern.fullmatch(text):
            self.report.problem(self.at(key), rule, f"`{key}` must be {form}", found=text)
            return None
        return text

    def one_of(self, key: str, choices: Iterable[str], later: Iterable[str] = ()) -> str | None:
        """A literal out of a list."""
        text = self.literal(key)
        if text is None or text in choices:
            return text
        if text in later:
            self.comes_later(key, f"{key}: {text}")
            return None
        near = [*choices, *later]
        detail = f"`{key}` must be one of {', '.join(near)}"
        self.report.problem(self.at(key), "not-one-of", detail, found=text, near=near)
        return None

    def integer(self, key: str, low: int, high: int) -> int | None:
        """A literal integer within limits."""
        value = self.value.get(key)
        if isinstance(value, str) and OPENING in value:
            self.literal(key)
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            if key in self.value:
                self.wrong_type(key, f"an integer from {low} to {high}")
            return None
        if not low <= value <= high:
            detail = f"`{key}` must be from {low} to {high}"
            self.report.problem(self.at(key), "out-of-range", detail, found=str(value))
            return None
        return value

    def boolean(self, key: str) -> bool:
        """A literal true or false; false if it is not there."""
        value = self.value.get(key, False)
        if isinstance(value, str) and OPENING in value:
            self.literal(key)
        elif not isinstance(value, bool):
            self.wrong_type(key, "true or false")
        return value is True

    def duration(self, key: str) -> float | None:
        """A literal duration above zero, in seconds."""
        text = self.literal(key)
        return None if text is None else duration_s(self.report, self.at(key), text)

    def inner(self, key: str) -> "Fields | None":
        """An object inside this one."""
        value = self.value.get(key)
        if isinstance(value, dict):
            return Fields(self.context, self.at(key), value)
        if key in self.value:
            self.wrong_type(key, "an object")
        return None

    def items(self, key: str, items_max: int) -> list[Any]:
        """A list inside this object, [] if there is none."""
        value = self.value.get(key)
        if not isinstance(value, list):
            if key in self.value:
                self.wrong_type(key, "a list")
            return []
        if len(value) > items_max:
            detail = f"`{key}` has {len(value)} entries; at most {items_max} are allowed"
            self.report.problem(self.at(key), "too-many", detail)
        return value[:items_max]

    def texts(self, key: str, items_max: int) -> Iterator[tuple[Path, str]]:
        """The literal texts of a list with their paths; what is none is reported."""
        for index, entry in enumerate(self.items(key, items_max)):
            path = (*self.at(key), index)
            if not isinstance(entry, str):
                detail = f"`{key}` lists texts, not {kind_of(entry)}"
                self.report.problem(path, "wrong-type", detail, found=kind_of(entry))
            elif OPENING in entry:
                detail = f"`{key}` is literal: it is read when the document is published"
                self.report.problem(path, "expression-not-here", detail, see="fields", found=entry)
            else:
                yield path, entry


def duration_s(report: Report, path: Path, text: str) -> float | None:
    """The seconds of a duration, or a problem."""
    try:
        seconds = parse_duration(text)
    except ExpressionError as error:
        report.problem(path, "bad-duration", error.message, see="fields", found=text)
        return None
    if seconds <= 0:
        report.problem(path, "bad-duration", "a duration is longer than nothing", found=text)
        return None
    return seconds
