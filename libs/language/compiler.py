"""From a syntax tree to guarded Python code.

The code reads names, keys and places only through `operators`; no attribute of a Python object is
ever looked up. The line number of each piece of generated code is its column in the expression,
so that an error's column costs nothing until there is one.
"""

import ast
from collections.abc import Callable
from typing import Any, NamedTuple

from libs.language import codegen, comparison, operators
from libs.language.codegen import METER, SCOPE, Place, metered, place
from libs.language.comprehensions import NODES_PER_STEP, Loops
from libs.language.errors import ExpressionError, nearest
from libs.language.functions import FUNCTIONS, HAS, TABLE
from libs.language.parsing import Parsed
from libs.language.paths import Path, static_path, unwound
from libs.language.reads import Reads
from libs.language.syntax import checked_constant, not_allowed, refuse

FILENAME = "<expression>"
DEPTH_MAX = 60
_OPERATIONS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operators.add,
    ast.Sub: operators.subtract,
    ast.Mult: operators.multiply,
    ast.Div: operators.divide,
    ast.FloorDiv: operators.floor_divide,
    ast.Mod: operators.modulo,
    ast.Eq: comparison.equal,
    ast.NotEq: comparison.unequal,
    ast.Lt: comparison.less,
    ast.LtE: comparison.less_or_equal,
    ast.Gt: comparison.greater,
    ast.GtE: comparison.greater_or_equal,
    ast.In: comparison.contains,
    ast.NotIn: comparison.lacks,
}
_HELPERS = (
    *(operators.read_name, operators.read_key, operators.read_at, operators.cut),
    *(operators.can_read, operators.truth, operators.text_key, operators.looped),
    *(operators.negate, comparison.chain),
)
_BOOLEAN_FUNCTIONS = frozenset({HAS, "starts_with", "ends_with", "contains"})
_GLOBALS: dict[str, Any] = {
    "__builtins__": {},
    **{each.__name__: each for each in (*_OPERATIONS.values(), *_HELPERS)},
    **{f"function_{name}": function.call for name, function in TABLE.items()},
}
# An object or list takes this many steps' eighths more memory than a number.
_WEIGHTS: dict[type[ast.AST], int] = {ast.Dict: 16, ast.List: 6}


class Compiled(NamedTuple):
    """The code, called with scope and meter, and what is known of it without running it."""

    code: Callable[[Any, Any], Any]
    paths: tuple[Path, ...]
    variables: tuple[tuple[str, int], ...]
    secret: str | None
    built: bool
    steps: int


def compile_tree(parsed: Parsed) -> Compiled:
    compiler = Compiler(parsed)
    body = compiler.value(parsed.tree)
    compiler.loops.check(compiler.reads.paths)
    root, keys = unwound(parsed.tree)
    path = static_path(parsed, parsed.tree)
    secret = None
    if path is not None and path.parts[0] == "secret" and len(path.parts) == 2 and len(keys) == 1:
        secret = path.parts[1]
    return Compiled(
        _executable(codegen.function(place(1), [SCOPE, METER], body)),
        tuple(compiler.reads.paths),
        tuple(compiler.loops.found),
        secret,
        not isinstance(root, ast.Name),
        1 + compiler.weight // NODES_PER_STEP,
    )


def _executable(function: ast.Lambda) -> Callable[[Any, Any], Any]:
    try:
        code = compile(ast.Expression(function), FILENAME, "eval")
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        message = "the expression is too complex; make a step of a part of it"
        raise ExpressionError("expression-syntax", message, 1) from None
    # The code is of our own making and can reach nothing but _GLOBALS, the scope and the meter.
    return eval(code, _GLOBALS)  # noqa: S307 - for the reason above


class Compiler:
    """Turns one tree into code; `reads` and `loops` collect what it reads and binds."""

    def __init__(self, parsed: Parsed) -> None:
        self.parsed = parsed
        self.loops = Loops(self)
        self.reads = Reads(self)
        self.weight = 0
        self._depth = 0
        self._kinds: dict[type[ast.AST], Callable[[Any, Place], ast.expr]] = {
            ast.Constant: self._constant,
            ast.Name: self.reads.path,
            ast.Attribute: self.reads.path,
            ast.Subscript: self.reads.path,
            ast.List: self._list,
            ast.Dict: self._object,
            ast.BoolOp: self._logic,
            ast.UnaryOp: self._unary,
            ast.BinOp: self._binary,
            ast.Compare: self._compare,
            ast.IfExp: self._choice,
            ast.Call: self._call,
            ast.ListComp: self.loops.listed,
            ast.DictComp: self.loops.mapped,
        }

    def value(self, node: ast.expr) -> ast.expr:
        compile_kind = self._kinds.get(type(node))
        if compile_kind is None:
            not_allowed(self.parsed, node)
        self.weight += 1 + _WEIGHTS.get(type(node), 0)
        self.deeper(node)
        code = compile_kind(node, self.at(node))
        self.deeper(node, -1)
        return code

    def deeper(self, node: ast.expr, levels: int = 1) -> None:
        """Goes down some levels, or up again; refuses the node that would be too deep."""
        self._depth += levels
        if self._depth > DEPTH_MAX:
            message = f"it is nested deeper than {DEPTH_MAX}; make a step of a part of it"
            refuse(self.parsed, node, "expression-syntax", message)

    def at(self, node: ast.expr) -> Place:
        return place(self.parsed.column(node.col_offset))

    def condition(self, node: ast.expr) -> ast.expr:
        code = self.value(node)
        return code if _is_boolean(node) else codegen.call(self.at(node), "truth", code)

    def _constant(self, node: ast.Constant, at: Place) -> ast.expr:
        return codegen.constant(at, checked_constant(self.parsed, node, node.value))

    def _list(self, node: ast.List, at: Place) -> ast.expr:
        return codegen.listing(at, [self.value(each) for each in node.elts])

    def _object(self, node: ast.Dict, at: Place) -> ast.expr:
        keys: list[ast.expr | None] = []
        for key in node.keys:
            if key is None:
                not_allowed(self.parsed, node, message="no **; write merge(a, b)")
            keys.append(self.key(key))
        return ast.Dict(keys, [self.value(each) for each in node.values], **at)

    def key(self, node: ast.expr) -> ast.expr:
        code = self.value(node)
        if isinstance(node, ast.Constant) and type(node.value) is str:
            return code
        return metered(self.at(node), "text_key", code)

    def _logic(self, node: ast.BoolOp, at: Place) -> ast.expr:
        return ast.BoolOp(node.op, [self.condition(each) for each in node.values], **at)

    def _unary(self, node: ast.UnaryOp, at: Place) -> ast.expr:
        if isinstance(node.op, ast.Not):
            return ast.UnaryOp(node.op, self.condition(node.operand), **at)
        if not isinstance(node.op, ast.USub):
            not_allowed(self.parsed, node, node.op)
        operand = node.operand
        value = operand.value if isinstance(operand, ast.Constant) else None
        if type(value) is int or type(value) is float:
            return codegen.constant(at, checked_constant(self.parsed, node, -value))
        return metered(at, "negate", self.value(operand))

    def _binary(self, node: ast.BinOp, at: Place) -> ast.expr:
        operation = _OPERATIONS.get(type(node.op))
        if operation is None:
            not_allowed(self.parsed, node, node.op)
        return metered(at, operation.__name__, self.value(node.left), self.value(node.right))

    def _compare(self, node: ast.Compare, at: Place) -> ast.expr:
        names = [self._comparison(node, op) for op in node.ops]
        first, *others = (self.value(each) for each in (node.left, *node.comparators))
        if len(names) == 1:
            return metered(at, names[0], first, others[0])
        links = [
            codegen.pair(at, [codegen.read(at, name), codegen.function(at, [], other)])
            for name, other in zip(names, others, strict=True)
        ]
        return metered(at, "chain", first, codegen.pair(at, links))

    def _comparison(self, node: ast.Compare, op: ast.cmpop) -> str:
        operation = _OPERATIONS.get(type(op))
        if operation is None:
            not_allowed(self.parsed, node, op)
        return operation.__name__

    def _choice(self, node: ast.IfExp, at: Place) -> ast.expr:
        test = self.condition(node.test)
        return ast.IfExp(test, self.value(node.body), self.value(node.orelse), **at)

    def _call(self, node: ast.Call, at: Place) -> ast.expr:
        name = self._function(node)
        for bad in (*node.keywords, *(each for each in node.args if _is_starred(each))):
            not_allowed(self.parsed, node, bad, "a function takes its arguments by place only")
        arity = 1 if name == HAS else TABLE[name].arity
        if len(node.args) != arity:
            wanted = f"{arity} argument{'' if arity == 1 else 's'}"
            message = f"{name} takes {wanted}, not {len(node.args)}"
            refuse(self.parsed, node, "expression-arguments", message)
        if name == HAS:
            return self.reads.has(node.args[0], at)
        first = node.args[0] if node.args else None
        if isinstance(first, ast.GeneratorExp) and arity == 1:
            return metered(at, f"function_{name}", self.loops.listed(first, self.at(first)))
        return metered(at, f"function_{name}", *(self.value(each) for each in node.args))

    def _function(self, node: ast.Call) -> str:
        called = node.func
        if isinstance(called, ast.Attribute):
            known = called.attr if called.attr in FUNCTIONS else None
            message = f"values have no methods; write {known or 'function'}(x)"
            hint = f"{known}(x)" if known else None
            refuse(self.parsed, node, "expression-method", message, hint)
        if not isinstance(called, ast.Name):
            refuse(self.parsed, node, "expression-method", "only functions by name are called")
        if called.id not in FUNCTIONS:
            close = nearest(called.id, sorted(FUNCTIONS))
            message = f"there is no function {called.id}"
            refuse(self.parsed, node, "unknown-function", message, close)
        return called.id


def _is_starred(node: ast.expr) -> bool:
    return isinstance(node, ast.Starred)


def _is_boolean(node: ast.expr) -> bool:
    """Whether its code gives nothing but a boolean, so that asking again would be waste."""
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in _BOOLEAN_FUNCTIONS
    return isinstance(node, ast.Compare | ast.BoolOp)
