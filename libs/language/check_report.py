"""Problems and warnings of a document: collected, counted, placed in the file, and shown."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

from libs.language.source import Path, Source, SourceError, pointer_of

PROBLEMS_MAX = 50
FOUND_CHARS_MAX = 80
SUGGESTED_CHARS_MAX = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """What breaks a rule, and where; `line` and `column` begin at 1, None without a file."""

    pointer: str
    line: int | None
    column: int | None
    rule: str
    detail: str
    found: str | None = None
    did_you_mean: str | None = None
    see: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """As it stands in the `errors` of a problem+json; what is not known is left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def of_source(cls, error: SourceError) -> "Problem":
        """The problem of a file that could not be read."""
        see = "/docs/language#the-file"
        return cls("", error.line, error.column, error.rule, error.detail, see=see)


class Report:
    """Collects the problems of one document, at most 50 and as many warnings."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.more = False

    def problem(self, path: Path, rule: str, detail: str, **about: Any) -> None:
        """Note a problem; `about` as in `placed`."""
        if len(self.problems) >= PROBLEMS_MAX:
            self.more = True
            return
        self.problems.append(self.placed(path, rule, detail, **about))

    def warning(self, path: Path, rule: str, detail: str, **about: Any) -> None:
        """Note what does not keep the document from being published."""
        if len(self.warnings) < PROBLEMS_MAX:
            self.warnings.append(self.placed(path, rule, detail, **about))

    def placed(
        self,
        path: Path,
        rule: str,
        detail: str,
        *,
        see: str = "blocks",
        of_key: bool = False,
        found: str | None = None,
        near: Iterable[str] | Callable[[], Iterable[str]] = (),
        mean: str | None = None,
        within: tuple[str, int] | None = None,
    ) -> Problem:
        """A problem with its place; `near` are names to suggest, `within` a text and an offset."""
        position = self.source.position(path, of_key=of_key)
        if position is not None and within is not None:
            position = place_in_text(self.source.text, position, *within)
        line, column = position or (None, None)
        names = near() if callable(near) else near
        return Problem(
            pointer=pointer_of(path),
            line=line,
            column=column,
            rule=rule,
            detail=detail,
            found=None if found is None else found[:FOUND_CHARS_MAX],
            did_you_mean=mean or (closest(found, names) if found else None),
            see=f"/docs/language#{see}",
        )


def closest(found: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant."""
    if len(found) > SUGGESTED_CHARS_MAX:
        return None
    candidates = [name for name in names if len(name) <= SUGGESTED_CHARS_MAX]
    matches = get_close_matches(found, candidates, n=1, cutoff=0.6)
    return matches[0] if matches else None


def place_in_text(
    source_text: str, start: tuple[int, int], text: str, offset: int
) -> tuple[int, int]:
    """Line and column of an offset of a text that begins at `start`; `start` if unsure."""
    lines = source_text.split("\n")
    line, column = start
    if line > len(lines):
        return start
    opening = lines[line - 1][column - 1 : column]
    if opening and opening in "|>":
        inner = text[:offset].count("\n")
        in_line = offset - (text.rfind("\n", 0, offset) + 1)
        wanted = text.split("\n")[inner]
        if line + inner >= len(lines) or not lines[line + inner].endswith(wanted):
            return start
        written = lines[line + inner]
        return line + inner + 1, len(written) - len(wanted) + in_line + 1
    begin = column if opening and opening in "\"'" else column - 1
    if not lines[line - 1].startswith(text[:offset], begin):
        return start
    return line, begin + offset + 1


def explain(problem: Problem, source_text: str, file: str = "workflow") -> str:
    """The problem as a compiler shows it: where, the line, a caret, what was probably meant."""
    place = f"{file}:{problem.line}:{problem.column}" if problem.line else file
    shown = [f"{place}: {problem.rule}: {problem.detail}"]
    lines = source_text.split("\n")
    if problem.line and problem.column and problem.line <= len(lines):
        written, column = clipped(visible(lines[problem.line - 1]), problem.column)
        number = str(problem.line)
        pad = "".join("\t" if char == "\t" else " " for char in written[: column - 1])
        caret = "^" * caret_width(problem, written[column - 1 :])
        shown += [f"  {number} | {written}", f"  {' ' * len(number)} | {pad}{caret}"]
    if problem.did_you_mean:
        shown.append(f"  did you mean: {problem.did_you_mean}")
    return "\n".join(shown)


def visible(line: str) -> str:
    """The line without what would move a terminal's cursor or change its colours."""
    return "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in line)


def clipped(line: str, column: int, width: int = 160) -> tuple[str, int]:
    """The part of a long line around a column, and the column in it."""
    if len(line) <= width:
        return line, column
    start = max(0, column - width // 2)
    return line[start : start + width], column - start


def caret_width(problem: Problem, rest: str) -> int:
    """As many carets as what was found is long, if it stands there."""
    found = problem.found or ""
    return len(found) if found and rest.startswith(found) else 1
