"""From the text of an expression to Python's syntax tree, and every way in which that fails."""

import ast
import keyword
import re
import unicodedata
from typing import NamedTuple, NoReturn

from libs.language.errors import ExpressionError
from libs.language.scan import after_quote

CHARS_MAX = 4_000
_PREFIX = re.compile(r"(?<![\w])(?:[bBuU]|[bB]?[rR]|[rR]?[bB]|[fF][rR]?|[rR][fF])$")
_ESCAPE = re.compile(r"\\(?:[\\'\"nrtbf]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})")
_DIGITS = re.compile(r"(?<![\w])\.?[0-9](?:[eE][-+][0-9]|[\w.])*")
_NUMBER = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_KEYWORD_KEY = re.compile(rf"(?:[^\W\d]\w*|[\])\"'])\s*\.\s*({'|'.join(keyword.kwlist)})(?!\w)")


class Parsed(NamedTuple):
    """The tree, and the UTF-8 text that its offsets count in."""

    tree: ast.expr
    source: bytes
    skipped: int

    def column(self, offset: int) -> int:
        """The column of a byte offset of the tree, in characters from 1."""
        return len(self.source[:offset].decode(errors="ignore")) + self.skipped + 1


def parse(text: str) -> Parsed:
    """The syntax tree; `expression-syntax` for everything that is none, whatever the parser did."""
    if len(text) > CHARS_MAX:
        _refuse(f"an expression has at most {CHARS_MAX} characters", CHARS_MAX + 1)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        _refuse("half of a surrogate pair is no character", error.start + 1)
    if "\0" in text:
        _refuse("NUL is no character of an expression", text.index("\0") + 1)
    plain, bare = _normalized(text)
    source = plain.strip(" ")
    skipped = len(plain) - len(plain.lstrip(" "))
    if not source:
        _refuse("the expression is empty", 1)
    _check_characters(bare)
    _check_numbers(bare)
    try:
        tree = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        _explain(error, bare, skipped, len(text))
    except (RecursionError, MemoryError, ValueError):
        _refuse("the expression is nested too deeply", 1)
    return Parsed(tree, source.encode(), skipped)


def _normalized(text: str) -> tuple[str, str]:
    """The text in one line, and the same with the insides of its text literals blanked."""
    plain: list[str] = []
    bare: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char in "\"'":
            end = _check_literal(text, at)
            plain.append(text[at:end])
            bare.append(char + "_" * (end - at - 2) + char)
            at = end
            continue
        if char == "#":
            _refuse("a comment is no part of an expression", at + 1)
        plain.append(" " if char.isspace() else char)
        bare.append(plain[-1])
        at += 1
    return "".join(plain), "".join(bare)


def _check_literal(text: str, at: int) -> int:
    if _PREFIX.search(text, max(0, at - 3), at):
        message = "a text has no prefix; instead of an f-string write text with ${{ }} in it"
        raise ExpressionError("expression-not-allowed", message, at)
    if text.startswith(text[at] * 3, at):
        message = "a text stands in one pair of quotes"
        raise ExpressionError("expression-not-allowed", message, at + 1)
    end = after_quote(text, at)
    if end > len(text):
        _refuse("the text is not closed with its quote", at + 1)
    inside = at
    while (inside := text.find("\\", inside, end)) >= 0:
        escape = _ESCAPE.match(text, inside, end)
        if escape is None:
            _refuse("there is no such escape; a backslash is written \\\\", inside + 1)
        inside = escape.end()
    if "\n" in text[at:end] or "\r" in text[at:end]:
        _refuse("a text ends in the line in which it began; write \\n", at + 1)
    return end


def _check_characters(bare: str) -> None:
    """Python reads names in a normal form: one that is written differently would be another key."""
    normal = unicodedata.normalize("NFKC", bare)
    if normal != bare:
        pairs = enumerate(zip(bare, normal, strict=False))
        at = next((at for at, (ours, theirs) in pairs if ours != theirs), len(normal))
        _refuse('this character is read as another one; write the key as ["…"]', at + 1)


def _check_numbers(bare: str) -> None:
    for match in _DIGITS.finditer(bare):
        if _NUMBER.fullmatch(match[0]) is None:
            _refuse("this is no number", match.start() + 1)


def _explain(error: SyntaxError, bare: str, skipped: int, length: int) -> NoReturn:
    key = _KEYWORD_KEY.search(bare)
    if key is not None:
        raise ExpressionError(
            "expression-keyword-key",
            f'{key[1]} is a word of the language here; write ["{key[1]}"]',
            key.start(1) + 1,
            did_you_mean=f'["{key[1]}"]',
        ) from None
    # The parser gives 0 for the end of the text.
    column = error.offset + skipped if error.offset else length + 1
    _refuse(f"it can't be read: {error.msg}", min(max(column, 1), length + 1))


def _refuse(message: str, column: int) -> NoReturn:
    raise ExpressionError("expression-syntax", message, column) from None
