"""JSON read strictly and with positions: no key twice, no NaN, no half characters, no recursion."""

import json
import re
from typing import Any, NoReturn

from libs.language.source_marks import (
    DEPTH_MAX,
    Mark,
    SourceError,
    decimal_number,
    shown,
    whole_number,
)

TOKEN = re.compile(
    r"""[ \t\r]*(?:
        (?P<newline>\n)
      | (?P<text>"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*")
      | (?P<sign>[\[\]{},:])
      | (?P<word>true|false|null)(?![A-Za-z0-9_])
      | (?P<number>-?(?:0|[1-9][0-9]*)(?P<rest>(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?))(?![A-Za-z0-9_.])
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
WORDS = {"true": True, "false": False, "null": None}
# What may come next, by the state of the reader.
EXPECTED = {
    "value": "a value",
    "first-item": "a value or ]",
    "first-key": "a key in quotes or }",
    "key": "a key in quotes",
    "colon": "a colon",
    "comma": "a comma or the closing bracket",
    "end": "the end of the file",
}


def read_json(text: str) -> tuple[Any, Mark]:
    """The value and its marks."""
    return _Reader(text).read()


class _Reader:
    """A state machine over tokens; `stack` holds the open lists and objects."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.line = 1
        self.line_start = 0
        self.column = 1
        self.stack: list[tuple[Any, Mark]] = []
        self.keys: list[tuple[str, int, int]] = []
        self.state = "value"
        self.result: tuple[Any, Mark] = (None, Mark(1, 1))

    def read(self) -> tuple[Any, Mark]:
        offset = 0
        while True:
            found = TOKEN.match(self.text, offset)
            if found is None:
                self.unreadable(offset)
            offset = found.end()
            kind = found.lastgroup
            if kind == "newline":
                self.line += 1
                self.line_start = offset
                continue
            assert kind is not None  # every alternative of TOKEN is named
            self.column = found.start(kind) - self.line_start + 1
            if kind == "end":
                if self.state != "end":
                    self.unexpected("the file ends")
                return self.result
            self.take(kind, found)

    def take(self, kind: str, found: re.Match[str]) -> None:
        token = found[kind]
        if kind == "sign":
            self.sign(token)
        elif kind == "text":
            self.string(self.unquoted(token))
        elif kind == "word":
            self.put(WORDS[token], Mark(self.line, self.column))
        else:
            number = decimal_number(token) if found["rest"] else whole_number(token)
            if number is None:
                self.refuse("number-too-large", "the number does not fit in 64 bits")
            self.put(number, Mark(self.line, self.column))

    def sign(self, sign: str) -> None:
        if sign == "{" or sign == "[":
            self.begin(sign)
        elif sign == ":" and self.state == "colon":
            self.state = "value"
        elif sign == "," and self.state == "comma":
            self.state = "key" if isinstance(self.stack[-1][0], dict) else "value"
        elif sign in "]}" and self.state in ("comma", "first-item", "first-key"):
            if isinstance(self.stack[-1][0], dict) != (sign == "}"):
                self.unexpected(f"here is {sign}")
            self.stack.pop()
            self.state = "comma" if self.stack else "end"
        else:
            self.unexpected(f"here is {sign}")

    def begin(self, sign: str) -> None:
        if len(self.stack) >= DEPTH_MAX:
            self.refuse("too-deep", f"lists and objects go deeper than {DEPTH_MAX} levels here")
        value: Any = {} if sign == "{" else []
        mark = (
            Mark(self.line, self.column, keys={})
            if sign == "{"
            else Mark(self.line, self.column, items=[])
        )
        self.put(value, mark)
        self.stack.append((value, mark))
        self.state = "first-key" if sign == "{" else "first-item"

    def string(self, text: str) -> None:
        if self.state not in ("key", "first-key"):
            self.put(text, Mark(self.line, self.column))
            return
        marks = self.stack[-1][1].keys or {}
        if text in marks:
            detail = f"the key {shown(text)} is already there, in line {marks[text][0]}"
            self.refuse("duplicate-key", detail)
        self.keys.append((text, self.line, self.column))
        self.state = "colon"

    def put(self, value: Any, mark: Mark) -> None:
        if self.state not in ("value", "first-item"):
            self.unexpected("here is a value")
        if not self.stack:
            self.result = (value, mark)
            self.state = "end"
            return
        holder, marks = self.stack[-1]
        if marks.keys is not None:
            key, line, column = self.keys.pop()
            holder[key] = value
            marks.keys[key] = (line, column, mark)
        elif marks.items is not None:
            holder.append(value)
            marks.items.append(mark)
        self.state = "comma"

    def unquoted(self, token: str) -> str:
        text = json.loads(token) if "\\" in token else token[1:-1]
        if "\\u" in token and not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                self.refuse("not-utf-8", "half of a surrogate pair is not a character")
        return text

    def unreadable(self, offset: int) -> NoReturn:
        spaces = re.compile(r"[ \t\r]*").match(self.text, offset)
        start = spaces.end() if spaces else offset
        self.column = start - self.line_start + 1
        piece = self.text[start : start + 20].split("\n")[0]
        if piece.startswith('"'):
            self.refuse("syntax", "this text is not closed, or holds a character that needs a \\")
        self.unexpected(f"here is {shown(piece)}")

    def unexpected(self, what: str) -> NoReturn:
        self.refuse("syntax", f"{EXPECTED[self.state]} is expected, {what}")

    def refuse(self, rule: str, detail: str) -> NoReturn:
        raise SourceError("json", rule, detail, self.line, self.column)
