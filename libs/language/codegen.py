"""Building pieces of Python's syntax tree that lie on a given line, which stands for a column."""

import ast
from collections.abc import Sequence
from typing import Any, TypedDict

SCOPE, METER = "_scope", "_meter"
_READ, _BIND = ast.Load(), ast.Store()


class Place(TypedDict):
    lineno: int
    col_offset: int
    end_lineno: int
    end_col_offset: int


def place(column: int) -> Place:
    return {"lineno": column, "col_offset": 0, "end_lineno": column, "end_col_offset": 0}


def constant(at: Place, value: Any) -> ast.expr:
    return ast.Constant(value, **at)


def read(at: Place, name: str) -> ast.expr:
    return ast.Name(name, _READ, **at)


def bind(at: Place, name: str) -> ast.expr:
    return ast.Name(name, _BIND, **at)


def call(at: Place, function: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(read(at, function), list(arguments), [], **at)


def metered(at: Place, function: str, *arguments: ast.expr) -> ast.expr:
    """A call of what pays for itself: the meter is its first argument."""
    return call(at, function, read(at, METER), *arguments)


def pair(at: Place, members: Sequence[ast.expr]) -> ast.expr:
    return ast.Tuple(list(members), _READ, **at)


def listing(at: Place, members: Sequence[ast.expr]) -> ast.expr:
    return ast.List(list(members), _READ, **at)


def function(at: Place, parameters: Sequence[str], body: ast.expr) -> ast.Lambda:
    names = [ast.arg(name, **at) for name in parameters]
    return ast.Lambda(ast.arguments([], names, None, [], [], None, []), body, **at)
