"""From a syntax tree to guarded Python code.

The code reads names, keys and places only through `operators`; no attribute of a Python object is
ever looked up. The line number of each piece of generated code is its column in the expression,
so that an error's column costs nothing until there is one.
"""

import ast
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from libs.language import comparison, operators
from libs.language.errors import nearest
from libs.language.functions import FUNCTIONS, HAS, TABLE
from libs.language.names import LITERALS, RESERVED, ROOT_NAMES
from libs.language.operators import INTEGER_MAX, INTEGER_MIN
from libs.language.parsing import Parsed
from libs.language.syntax import not_allowed, refuse

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
