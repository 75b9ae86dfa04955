"""What an expression reads: names, keys, places, slices and paths asked for with `has`."""

import ast
from typing import TYPE_CHECKING

from libs.language import codegen
from libs.language.codegen import SCOPE, Place, metered, place
from libs.language.functions import FUNCTIONS
from libs.language.names import LITERALS
from libs.language.paths import Path, static_path, unwound
from libs.language.syntax import checked_name, not_allowed, refuse

if TYPE_CHECKING:
    from libs.language.compiler import Compiler


class Reads:
    """The reads of one expression; `paths` is what is known of them without evaluating."""

    def __init__(self, compiler: "Compiler") -> None:
        self._compiler = compiler
        self._parsed = compiler.parsed
        self.paths: list[Path] = []

    def path(self, node: ast.expr, at: Place) -> ast.expr:
        self._note(node, asked=False)
        return self._read(node, at)

    def has(self, node: ast.expr, at: Place) -> ast.expr:
        root, keys = unwound(node)
        if not isinstance(root, ast.Name) or any(isinstance(key, ast.Slice) for key in keys):
            message = "has takes a path, such as input.customer.name"
            refuse(self._parsed, node, "expression-arguments", message)
        self._note(node, asked=True)
        codes = [self._compiler.value(key) for key in keys]
        read = self._name(root, self._compiler.at(root))
        return metered(at, "can_read", read, codegen.pair(at, codes))

    def _note(self, node: ast.expr, *, asked: bool) -> None:
        path = static_path(self._parsed, node)
        if path is None or path.parts[0] in self._compiler.loops.variables:
            return
        if path.parts[0] not in LITERALS:
            self.paths.append(path._replace(asked=asked))

    def _read(self, node: ast.expr, at: Place) -> ast.expr:
        """The code of a path, from its end to its beginning."""
        if isinstance(node, ast.Name):
            return self._name(node, at)
        if not isinstance(node, ast.Attribute | ast.Subscript):
            return self._compiler.value(node)
        self._compiler.weight += 1
        self._compiler.deeper(node)
        value = self._read(node.value, self._compiler.at(node.value))
        self._compiler.deeper(node, -1)
        if isinstance(node, ast.Attribute):
            return self._key(node, value)
        if isinstance(node.slice, ast.Slice):
            return self._cut(node.slice, value, at)
        key_at = self._compiler.at(node.slice)
        key = self._compiler.value(node.slice)
        if isinstance(node.slice, ast.Constant) and type(node.slice.value) is str:
            return codegen.call(key_at, "read_key", value, key)
        return metered(key_at, "read_at", value, key)

    def _key(self, node: ast.Attribute, value: ast.expr) -> ast.expr:
        name = checked_name(self._parsed, node, node.attr)
        start = (node.end_col_offset or 0) - len(name.encode())
        at = place(self._parsed.column(start))
        return codegen.call(at, "read_key", value, codegen.constant(at, name))

    def _cut(self, edges: ast.Slice, value: ast.expr, at: Place) -> ast.expr:
        if edges.step is not None:
            not_allowed(self._parsed, edges.step, message="no steps in slices")
        codes = [
            codegen.constant(at, ...) if edge is None else self._compiler.value(edge)
            for edge in (edges.lower, edges.upper)
        ]
        return metered(at, "cut", value, *codes)

    def _name(self, node: ast.Name, at: Place) -> ast.expr:
        name = checked_name(self._parsed, node, node.id)
        if name in LITERALS:
            return codegen.constant(at, LITERALS[name])
        if name in self._compiler.loops.variables:
            return codegen.read(at, f"variable_{name}")
        if name in FUNCTIONS:
            message = f"{name} is a function; call it as {name}(…)"
            refuse(self._parsed, node, "unknown-name", message)
        return codegen.call(at, "read_name", codegen.read(at, SCOPE), codegen.constant(at, name))
