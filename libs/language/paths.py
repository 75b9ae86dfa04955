"""What can be told of an expression's reads from its text alone."""

import ast
from typing import NamedTuple

from libs.language.parsing import Parsed


class Path(NamedTuple):
    """A read such as `input.lines`, as far as its keys are literal, with the column of each part.

    `asked` says that it stands in `has(…)`, where its keys may be missing.
    """

    parts: tuple[str, ...]
    columns: tuple[int, ...]
    asked: bool = False


def unwound(node: ast.expr) -> tuple[ast.expr, list[ast.expr]]:
    """What a chain of keys and places begins with, and its keys in order."""
    keys: list[ast.expr] = []
    while isinstance(node, ast.Attribute | ast.Subscript):
        keys.append(_key(node))
        node = node.value
    return node, keys[::-1]


def static_path(parsed: Parsed, node: ast.expr) -> Path | None:
    """The path from its name to the first key that is no literal; None without a name."""
    root, keys = unwound(node)
    if not isinstance(root, ast.Name):
        return None
    parts, columns = [root.id], [parsed.column(root.col_offset)]
    for key in keys:
        if not isinstance(key, ast.Constant) or type(key.value) is not str:
            break
        parts.append(key.value)
        columns.append(parsed.column(key.col_offset))
    return Path(tuple(parts), tuple(columns))


def _key(node: ast.Attribute | ast.Subscript) -> ast.expr:
    if isinstance(node, ast.Subscript):
        return node.slice
    start = (node.end_col_offset or 0) - len(node.attr.encode())
    return ast.Constant(node.attr, lineno=1, col_offset=start)
