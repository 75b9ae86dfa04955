"""An expression, compiled once and evaluated often: the same result wherever it runs."""

from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any

from libs.language.compiler import FILENAME, Compiled, Path, compile_tree
from libs.language.errors import ExpressionError, NeedsWorker
from libs.language.meter import STEPS_INLINE_MAX, STEPS_MAX, Meter
from libs.language.parsing import parse

__all__ = ["Expression", "Path", "compile_expression"]


class Expression:
    """The inside of one `${{ }}`.

    `names` are the names it reads from its scope; `paths` what is known of what it reads there;
    `variables` those of its comprehensions with their columns; `secret` the name when it is
    `secret.name` and nothing else. Results may share parts with the scope: change neither.
    """

    __slots__ = ("_compiled", "names", "paths", "secret", "text", "variables")

    def __init__(self, text: str, compiled: Compiled) -> None:
        self.text = text
        self._compiled = compiled
        self.names = frozenset(path.parts[0] for path in compiled.paths)
        self.paths = compiled.paths
        self.variables = compiled.variables
        self.secret = compiled.secret

    def evaluate(self, scope: Mapping[str, Any], clock: str, budget_steps: int = STEPS_MAX) -> Any:
        """The value; `clock` is what `now()` gives, an RFC 3339 time in UTC."""
        return self.run(scope, Meter(budget_steps, clock))

    def evaluate_inline(self, scope: Mapping[str, Any], clock: str) -> Any:
        """The value if little work gives it, for an event loop; else NeedsWorker."""
        try:
            return self.evaluate(scope, clock, STEPS_INLINE_MAX)
        except ExpressionError as error:
            if error.code != "expression-too-expensive":
                raise
            raise NeedsWorker(self.text) from None

    def run(self, scope: Mapping[str, Any], meter: Meter) -> Any:
        """The value, paid for from a budget that others share."""
        try:
            meter.charge(self._compiled.steps)
            value = self._compiled.code(scope, meter)
            return meter.result(value, built=self._compiled.built)
        except ExpressionError as error:
            if error.column is None:
                error.column = _column(error.__traceback__)
            # Frames hold the scope, which may be personal data: they don't travel with the error.
            raise error.with_traceback(None) from None


@lru_cache(maxsize=4096)
def compile_expression(text: str) -> Expression:
    """Compiles the inside of `${{ }}`; ExpressionError says why it is none."""
    return Expression(text, compile_tree(parse(text)))


def _column(trace: TracebackType | None) -> int | None:
    """Where it happened: the compiler gives each piece of code its column as line number."""
    column = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == FILENAME:
            column = trace.tb_lineno
        trace = trace.tb_next
    return column
