"""What can go wrong with an expression: a result of its author's, or a fault of ours."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class ExpressionError(Exception):
    """The expression, or what it met, is wrong; the same again wherever it is evaluated.

    `column` counts from 1 within the text between `${{` and `}}`. In a value, `where` points at
    the field and `start` is the index in the field's text at which the expression begins, so that
    `start + column` is the column in the field.
    """

    def __init__(
        self,
        code: str,
        message: str,
        column: int | None = None,
        *,
        did_you_mean: str | None = None,
        found: str | None = None,
        where: str | None = None,
        start: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.column = column
        self.did_you_mean = did_you_mean
        self.found = found
        self.where = where
        self.start = start

    def __str__(self) -> str:
        at = f" (column {self.column})" if self.column is not None else ""
        hint = f"; did you mean {self.did_you_mean}?" if self.did_you_mean else ""
        return f"{self.code}: {self.message}{hint}{at}"

    def as_dict(self) -> dict[str, Any]:
        """Everything it says, as JSON; `ExpressionError(**it)` is the same error again."""
        return {
            "code": self.code,
            "message": self.message,
            "column": self.column,
            "did_you_mean": self.did_you_mean,
            "found": self.found,
            "where": self.where,
            "start": self.start,
        }


class NeedsWorker(Exception):
    """More than an event loop should do; evaluate it in the worker process, from the start."""


class WorkerFault(Exception):
    """The worker process died or was cut by its fuse: no result, the evaluation may be repeated."""


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The word that was probably meant, if one is close."""
    if len(word) > 64:
        return None
    few = [each for _, each in zip(range(200), words, strict=False) if len(each) <= 64]
    return next(iter(get_close_matches(word, few, n=1, cutoff=0.6)), None)
