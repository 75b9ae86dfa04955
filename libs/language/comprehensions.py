"""Comprehensions: new variables only, over lists only, each round paid for before it begins."""

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from libs.language import codegen
from libs.language.codegen import Place, metered
from libs.language.errors import ExpressionError
from libs.language.functions import FUNCTIONS
from libs.language.names import RESERVED, ROOT_NAMES
from libs.language.paths import Path
from libs.language.syntax import checked_name, not_allowed, refuse

if TYPE_CHECKING:
    from libs.language.compiler import Compiler

NODES_PER_STEP = 8
_ENTRY_WEIGHT = 16  # an entry of an object takes the memory of so many numbers


class Loops:
    """The comprehensions of one expression, and the variables bound where the compiler stands."""

    def __init__(self, compiler: "Compiler") -> None:
        self._compiler = compiler
        self.variables: set[str] = set()
        self.found: list[tuple[str, int]] = []

    def listed(self, node: ast.ListComp | ast.GeneratorExp, at: Place) -> ast.expr:
        rounds = self._opened(node.generators)
        before = self._compiler.weight
        element = self._compiler.value(node.elt)
        rounds[-1].weight += self._compiler.weight - before
        return ast.ListComp(element, self._closed(rounds), **at)

    def mapped(self, node: ast.DictComp, at: Place) -> ast.expr:
        rounds = self._opened(node.generators)
        before = self._compiler.weight
        key, value = self._compiler.key(node.key), self._compiler.value(node.value)
        rounds[-1].weight += _ENTRY_WEIGHT + self._compiler.weight - before
        return ast.DictComp(key, value, self._closed(rounds), **at)

    def check(self, paths: list[Path]) -> None:
        """No variable has the name of something that the expression reads elsewhere."""
        read = {path.parts[0] for path in paths}
        for name, column in self.found:
            if name in read or name in ROOT_NAMES:
                raise ExpressionError("name-taken", f"{name} is the name of a value", column)

    def _opened(self, generators: list[ast.comprehension]) -> "list[_Round]":
        """Binds the variables; what stands in a round weighs on each turn of it."""
        rounds: list[_Round] = []
        for generator in generators:
            before = self._compiler.weight
            over = self._compiler.value(generator.iter)
            if rounds:
                rounds[-1].weight += self._compiler.weight - before
            name = self._bound(generator)
            before = self._compiler.weight
            tests = [self._compiler.condition(each) for each in generator.ifs]
            weight = self._compiler.weight - before
            rounds.append(_Round(name, over, tests, weight, self._compiler.at(generator.iter)))
        return rounds

    def _closed(self, rounds: "list[_Round]") -> list[ast.comprehension]:
        self.variables.difference_update(each.name for each in rounds)
        return [each.code() for each in rounds]

    def _bound(self, generator: ast.comprehension) -> str:
        parsed, target = self._compiler.parsed, generator.target
        if generator.is_async:
            not_allowed(parsed, target, message="no async")
        if not isinstance(target, ast.Name):
            message = "a comprehension has one variable; read its parts as pair[0], pair[1]"
            not_allowed(parsed, target, message=message)
        name = checked_name(parsed, target, target.id)
        if name in self.variables:
            refuse(parsed, target, "name-taken", f"{name} is a variable here already")
        if name in FUNCTIONS or name in RESERVED - ROOT_NAMES:
            refuse(parsed, target, "name-reserved", f"{name} is a word of the language")
        self.variables.add(name)
        self.found.append((name, parsed.column(target.col_offset)))
        return name


@dataclass
class _Round:
    name: str
    over: ast.expr
    tests: list[ast.expr]
    weight: int
    at: Place

    def code(self) -> ast.comprehension:
        steps = codegen.constant(self.at, 1 + self.weight // NODES_PER_STEP)
        target = codegen.bind(self.at, f"variable_{self.name}")
        return ast.comprehension(
            target, metered(self.at, "looped", self.over, steps), self.tests, 0
        )
