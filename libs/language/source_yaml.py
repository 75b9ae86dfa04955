"""The YAML of workflow files: YAML 1.2 with JSON's scalars, read from the parser's events."""

import re
from typing import Any, NoReturn

import yaml
from yaml.reader import ReaderError

from libs.language.source_marks import (
    DEPTH_MAX,
    Mark,
    SourceError,
    decimal_number,
    position_at,
    shown,
    whole_number,
)

INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}
MUST_BE_QUOTED = (
    "; an expression inside { } or [ ], or one with ': ' or ' #' in it, must be quoted:"
    ' "${{ … }}"'
)


class _Open:
    """A list or an object that is being read."""

    __slots__ = ("key", "key_at", "mark", "value")

    def __init__(self, value: Any, mark: Mark) -> None:
        self.value = value
        self.mark = mark
        self.key: str | None = None
        self.key_at: tuple[int, int] = (0, 0)


def read_yaml(text: str) -> tuple[Any, Mark]:
    """The value and its marks."""
    try:
        return _Reader().read(text)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(text, error) from error
    except ReaderError as error:
        line, column = position_at(text, error.position)
        detail = "this character is not allowed in YAML"
        raise SourceError("yaml", "syntax", detail, line, column) from error


def _syntax_error(text: str, error: yaml.MarkedYAMLError) -> SourceError:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    detail = " ".join(part for part in (error.context, error.problem) if part)
    lines = text.split("\n")
    near = {line, error.context_mark.line + 1 if error.context_mark else line}
    if any("${{" in lines[number - 1] for number in near if number <= len(lines)):
        detail += MUST_BE_QUOTED
    return SourceError("yaml", "syntax", detail or "this is not YAML", line, column)


class _Reader:
    """Builds dicts and lists from events with an explicit stack."""

    def __init__(self) -> None:
        self.stack: list[_Open] = []
        self.result: tuple[Any, Mark] | None = None
        self.documents = 0

    def read(self, text: str) -> tuple[Any, Mark]:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.ScalarEvent):
                self.check_node(event)
                self.scalar(event)
            elif isinstance(event, yaml.CollectionStartEvent):
                self.check_node(event)
                self.begin(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self.end()
            elif isinstance(event, yaml.AliasEvent):
                refuse(event, "alias", "aliases (*name) are not part of the language")
            elif isinstance(event, yaml.DocumentStartEvent):
                self.begin_document(event)
        return self.result or (None, Mark(1, 1))

    def begin_document(self, event: yaml.DocumentStartEvent) -> None:
        self.documents += 1
        if self.documents > 1:
            refuse(event, "several-documents", "a file holds one document; here a second begins")
        if event.tags or (event.version and tuple(event.version) != (1, 2)):
            refuse(
                event, "directive", "directives other than %YAML 1.2 are not part of the language"
            )

    def check_node(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.anchor is not None:
            refuse(event, "anchor", f"anchors (&{event.anchor[:40]}) are not part of the language")
        if event.tag is not None:
            refuse(event, "tag", f"tags ({event.tag[:40]}) are not part of the language")

    def begin(self, event: yaml.CollectionStartEvent) -> None:
        top = self.stack[-1] if self.stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            refuse(event, "key-not-text", "a key must be text, not a list or an object")
        if len(self.stack) >= DEPTH_MAX:
            refuse(event, "too-deep", f"lists and objects go deeper than {DEPTH_MAX} levels here")
        line, column = place(event)
        if isinstance(event, yaml.MappingStartEvent):
            opened = _Open({}, Mark(line, column, keys={}))
        else:
            opened = _Open([], Mark(line, column, items=[]))
        self.put(opened.value, opened.mark)
        self.stack.append(opened)

    def end(self) -> None:
        self.stack.pop()

    def scalar(self, event: yaml.ScalarEvent) -> None:
        line, column = place(event)
        value = scalar_value(event)
        top = self.stack[-1] if self.stack else None
        if top is None or not isinstance(top.value, dict) or top.key is not None:
            self.put(value, Mark(line, column))
            return
        if event.implicit[0] and event.value == "<<":
            refuse(event, "merge-key", "merge keys (<<) are not part of the language")
        if not isinstance(value, str):
            kind = f'"{event.value}"' if event.value else "an empty key"
            refuse(event, "key-not-text", f"a key must be text; write {kind} with quotes")
        if value in top.value:
            first = top.mark.keys[value][0] if top.mark.keys else line
            refuse(
                event, "duplicate-key", f"the key {shown(value)} is already there, in line {first}"
            )
        top.key, top.key_at = value, (line, column)

    def put(self, value: Any, mark: Mark) -> None:
        if not self.stack:
            self.result = (value, mark)
            return
        top = self.stack[-1]
        if top.mark.keys is not None and top.key is not None:
            top.value[top.key] = value
            top.mark.keys[top.key] = (*top.key_at, mark)
            top.key = None
        elif top.mark.items is not None:
            top.value.append(value)
            top.mark.items.append(mark)


def scalar_value(event: yaml.ScalarEvent) -> Any:
    """The JSON value of a scalar: what JSON does not know is text."""
    if not event.implicit[0]:
        return event.value
    if event.value in WORDS:
        return WORDS[event.value]
    number: float | None
    if INTEGER.fullmatch(event.value):
        number = whole_number(event.value)
    elif DECIMAL.fullmatch(event.value):
        number = decimal_number(event.value)
    else:
        return event.value
    if number is None:
        refuse(
            event,
            "number-too-large",
            "the number does not fit in 64 bits; quote it to make it text",
        )
    return number


def place(event: yaml.Event) -> tuple[int, int]:
    """Line and column of an event, from 1."""
    mark: Any = event.start_mark  # the parser always gives one, its type does not say so
    return mark.line + 1, mark.column + 1


def refuse(event: yaml.Event, rule: str, detail: str) -> NoReturn:
    """Raise the SourceError for the place of an event."""
    raise SourceError("yaml", rule, detail, *place(event))
