"""`python`: code that reads as the body of a function, the names it sees, what it may call."""

import ast
import keyword
import re
import warnings
from collections.abc import Iterator, Mapping

from libs.language.check_context import Fields, Made, Scope
from libs.language.check_uses import connector_named
from libs.language.check_values import checked_value
from libs.language.scan import OPENING
from libs.language.source import pointer_of
from libs.language.steps import STEP_TIMEOUT_S, PythonStep
from libs.language.templates import Value

PYTHON_KEYS = ("python", "with", "uses", "timeout")
CODE_BYTES_MAX = 64 * 1024
USES_MAX = 20
NAMES_MAX = 100
PYTHON_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
FILENAME = "<python step>"


def python_step(fields: Fields, step_id: str, title: str | None, scope: Scope, depth: int) -> Made:
    """`python: code, with: {name: value}, uses: [http-request@1]`."""
    fields.only(("id", "title", *PYTHON_KEYS))
    code = code_at(fields)
    uses = uses_at(fields)
    functions = {function_name(connector) for connector, _ in uses}
    with_ = names_at(fields, scope, functions)
    timeout_s = fields.duration("timeout") or STEP_TIMEOUT_S
    if code is None:
        return Made(None, None)
    pointer = pointer_of(fields.path)
    return Made(PythonStep(step_id, title, pointer, code, with_, uses, timeout_s), None)


def function_name(connector: str) -> str:
    """`http-request` is called as `http_request(…)`."""
    return connector.replace("-", "_")


def code_at(fields: Fields) -> str | None:
    """The code: small, readable, and with a `return`."""
    code = fields.value["python"]
    path = fields.at("python")
    if not isinstance(code, str):
        fields.wrong_type("python", "text")
        return None
    if OPENING in code:
        detail = "`python` sees the names in `with` as values; it has no ${{ }} of its own"
        within = (code, code.index(OPENING))
        fields.report.problem(
            path, "expression-not-here", detail, see="fields", found=OPENING, within=within
        )
        return None
    size = len(code.encode(errors="replace"))
    if size > CODE_BYTES_MAX:
        detail = f"the code has {size} bytes; at most {CODE_BYTES_MAX} are allowed"
        fields.report.problem(path, "too-long", detail)
        return None
    body = body_of(fields, code)
    if body is None:
        return None
    kinds = {type(node) for node in of_function(body)}
    if not kinds.isdisjoint((ast.Yield, ast.YieldFrom)):
        detail = "the code can't be read: it gives one result by `return`, and none by `yield`"
        fields.report.problem(path, "python-syntax", detail)
        return None
    if ast.Return not in kinds:
        detail = "the code gives no result: it ends with `return` and a value"
        fields.report.problem(path, "return-missing", detail)
        return None
    return code


def body_of(fields: Fields, code: str) -> list[ast.stmt] | None:
    """The statements, compiled as the body of a function to find every error of syntax."""
    path = fields.at("python")
    try:
        body, doubts = _compiled(code)
    except SyntaxError as error:
        detail = f"the code can't be read: {error.msg}"
        within = (code, offset_of(code, error.lineno or 1, error.offset or 1))
        fields.report.problem(path, "python-syntax", detail, within=within)
        return None
    except (RecursionError, MemoryError, ValueError):
        detail = "the code can't be read: it is nested too deeply, or holds what is no character"
        fields.report.problem(path, "python-syntax", detail)
        return None
    for line, doubt in doubts:
        within = (code, offset_of(code, line, 1))
        fields.report.warning(path, "python-doubtful", f"line {line}: {doubt}", within=within)
    return body


def _compiled(code: str) -> tuple[list[ast.stmt], list[tuple[int, str]]]:
    """The statements, and what Python warns of by line: it is for whoever wrote the code."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        tree = ast.parse(code, FILENAME)
        function = ast.parse("def step(): pass", FILENAME)
        holder = function.body[0]
        if tree.body and isinstance(holder, ast.FunctionDef):
            holder.body = tree.body
        compile(function, FILENAME, "exec", dont_inherit=True)
    return tree.body, list(dict.fromkeys((each.lineno, str(each.message)) for each in found))


def offset_of(code: str, line: int, column: int) -> int:
    """Where a line and column are in a text."""
    lines = code.split("\n")
    line = min(line, len(lines))
    before = sum(len(each) + 1 for each in lines[: line - 1])
    return min(before + min(column - 1, len(lines[line - 1])), len(code))


def of_function(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """The parts of a function, without those of functions and classes inside it."""
    waiting: list[ast.AST] = [*body]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))


def uses_at(fields: Fields) -> tuple[tuple[str, int], ...]:
    """The connectors that the code may call; each is a function of another name."""
    if "uses" in fields and isinstance(fields.value["uses"], str):
        fields.wrong_type("uses", "a list of connectors")
        return ()
    found: dict[str, tuple[str, int]] = {}
    for path, text in fields.texts("uses", USES_MAX):
        connector, _ = connector_named(fields, path, text)
        if connector is None:
            continue
        name = function_name(connector[0])
        if name in found:
            detail = f"another connector is the function {name} already"
            fields.report.problem(path, "name-taken", detail, found=text)
        found[name] = connector
    return tuple(found.values())


def names_at(fields: Fields, scope: Scope, functions: set[str]) -> Mapping[str, Value]:
    """`with`: the names that the code sees, each a value."""
    inner = fields.inner("with")
    if inner is None:
        return {}
    if len(inner.value) > NAMES_MAX:
        detail = f"at most {NAMES_MAX} names are allowed"
        fields.report.problem(inner.path, "too-many", detail)
        return {}
    values: dict[str, Value] = {}
    for name, raw in inner.value.items():
        if OPENING in name:
            inner.only([key for key in inner.value if key != name])
        elif not PYTHON_NAME.fullmatch(name) or keyword.iskeyword(name):
            detail = "`with` gives names of Python: letters, digits and _, no word of Python"
            fields.report.problem(inner.at(name), "bad-name", detail, of_key=True, found=name)
        elif name in functions:
            detail = f"{name} is the function of a connector in `uses`; take another name"
            fields.report.problem(inner.at(name), "name-taken", detail, of_key=True, found=name)
        value = checked_value(fields.context, inner.at(name), raw, scope)
        if value is not None:
            values[name] = value
    return values
