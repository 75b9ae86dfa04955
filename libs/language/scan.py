"""Finding expressions in a text: `${{` to the first `}}` outside of quotes and brackets."""

from typing import NamedTuple

from libs.language.errors import ExpressionError

OPENING = "${{"
ESCAPED = "$${{"


class Hole(NamedTuple):
    """One expression of a text: what stands between `${{` and `}}`, and where that begins."""

    text: str
    start: int


def has_expression(text: str) -> bool:
    """Whether `${{` stands in the text, escaped or not."""
    return OPENING in text


def split_template(text: str) -> list[str | Hole]:
    """The text in order: literal pieces (escapes resolved, never empty) and expressions."""
    pieces: list[str | Hole] = []
    literal: list[str] = []
    at = 0
    while (found := text.find(OPENING, at)) >= 0:
        if found > at and text[found - 1] == "$":
            literal += [text[at : found - 1], OPENING]
            at = found + len(OPENING)
            continue
        literal.append(text[at:found])
        if "".join(literal):
            pieces.append("".join(literal))
        literal = []
        start = found + len(OPENING)
        end = _closing(text, start)
        if end is None:
            raise ExpressionError(
                "expression-not-closed", "the expression is not closed with }}", 1, start=found
            )
        pieces.append(Hole(text[start:end], start))
        at = end + 2
    literal.append(text[at:])
    if "".join(literal):
        pieces.append("".join(literal))
    return pieces


def _closing(text: str, at: int) -> int | None:
    depth = 0
    while at < len(text):
        char = text[at]
        if char in "\"'":
            at = after_quote(text, at)
            continue
        if char in "([{":
            depth += 1
        elif depth == 0 and text.startswith("}}", at):
            return at
        elif char in ")]}" and depth:
            depth -= 1
        at += 1
    return None


def after_quote(text: str, at: int) -> int:
    """The index behind the text literal that opens at `at`; the end when it is not closed."""
    quote = text[at]
    at += 1
    while at < len(text) and text[at] != quote:
        at += 2 if text[at] == "\\" else 1
    return at + 1
