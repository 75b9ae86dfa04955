"""What of Python's syntax is no part of the language, and what to write instead."""

import ast
from typing import NoReturn

from libs.language.errors import ExpressionError
from libs.language.operators import number
from libs.language.parsing import Parsed

_INSTEAD: dict[type[ast.AST], str] = {
    ast.JoinedStr: "no f-strings; write text with ${{ }} in it",
    ast.Set: "no sets; write a list",
    ast.SetComp: "no sets; write unique([...])",
    ast.Tuple: "no tuples; write a list in [ ]",
    ast.NamedExpr: "no :=; make a step of its own with set",
    ast.Starred: "no *; write a + b or flatten([a, b])",
    ast.Lambda: "no lambda; write a comprehension",
    ast.GeneratorExp: "a generator is the only argument of a function; write [ ] around it",
    ast.Pow: "no **",
    ast.MatMult: "no @",
    ast.Is: "no is; write ==",
    ast.IsNot: "no is not; write !=",
    ast.Invert: "no ~",
    ast.UAdd: "no sign +",
}
_BITS = (ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift)


def not_allowed(
    parsed: Parsed, node: ast.expr, what: ast.AST | None = None, message: str | None = None
) -> NoReturn:
    """Refuses the node, because of the operator in it or because of what it is."""
    cause = what or node
    if message is None and isinstance(cause, _BITS):
        message = "no bit operators; write and, or, merge(a, b)"
    if message is None:
        message = _INSTEAD.get(type(cause), "this is no part of the language")
    refuse(parsed, node, "expression-not-allowed", message)


def refuse(
    parsed: Parsed, node: ast.expr, code: str, message: str, did_you_mean: str | None = None
) -> NoReturn:
    raise ExpressionError(code, message, parsed.column(node.col_offset), did_you_mean=did_you_mean)


def checked_name(parsed: Parsed, node: ast.expr, name: str) -> str:
    """The name or key, which begins with no underscore."""
    if name.startswith("_"):
        message = f'names begin with no underscore; a key is written ["{name}"]'
        not_allowed(parsed, node, message=message)
    return name


def checked_constant(parsed: Parsed, node: ast.expr, value: object) -> object:
    """The literal, when it is a text or number of the language."""
    if type(value) is str:
        if any("\ud800" <= char <= "\udfff" for char in value):
            message = "half of a surrogate pair is no character"
            refuse(parsed, node, "expression-syntax", message)
        return value
    if type(value) is int or type(value) is float:
        try:
            return number(value)
        except ExpressionError as error:
            refuse(parsed, node, error.code, "the number is too large")
    if value is None or type(value) is bool:
        word = "null" if value is None else str(value).lower()
        refuse(parsed, node, "expression-literal", f"{value} is written {word}", word)
    not_allowed(parsed, node)
