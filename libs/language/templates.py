"""PLACEHOLDER while being written."""
from typing import Any, Mapping
from libs.language.expression import Expression
class Value:
    names: frozenset[str]
    expressions: tuple[tuple[str, Expression], ...]
    secrets: frozenset[str]
    is_constant: bool
    def evaluate(self, scope: Mapping[str, Any], clock: str, budget_steps: int = 200_000) -> Any: raise NotImplementedError
    def evaluate_inline(self, scope: Mapping[str, Any], clock: str) -> Any: raise NotImplementedError
def compile_value(value: Any, where: str, *, secrets_allowed: bool = False) -> Value: raise NotImplementedError
