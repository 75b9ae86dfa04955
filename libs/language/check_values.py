"""Expressions and values of a document: compiled, and every name in them looked up."""

from collections.abc import Iterator
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

from libs.language.check_context import Context, Fields, Scope, kind_of
from libs.language.check_shapes import Keys, Shape, keys_of, look
from libs.language.check_shapes import kind_of as kind_of_shape
from libs.language.errors import ExpressionError
from libs.language.expression import Expression, compile_expression
from libs.language.functions import FUNCTIONS
from libs.language.names import RESERVED
from libs.language.scan import OPENING, Hole, split_template
from libs.language.source import Path, path_of
from libs.language.templates import Value, compile_value

ID_SCOPE = "its result is seen by the later steps of its own block and by everything inside those"


def expression_at(fields: Fields, key: str, scope: Scope) -> Expression | None:
    """The expression of a field that must be exactly one `${{ … }}`."""
    path, text = fields.at(key), fields.value.get(key)
    holes: list[str | Hole] = []
    if isinstance(text, str):
        try:
            holes = split_template(text.strip())
        except ExpressionError as error:
            report_error(fields.context, path, text, error)
            return None
    if len(holes) != 1 or not isinstance(holes[0], Hole):
        detail = f"`{key}` must be exactly one expression, ${{{{ … }}}}, not {kind_of(text)}"
        found = text if isinstance(text, str) else None
        fields.report.problem(path, "expression-expected", detail, see="fields", found=found)
        return None
    assert isinstance(text, str)
    start = holes[0].start + len(text) - len(text.lstrip())
    try:
        expression = compile_expression(holes[0].text)
    except ExpressionError as error:
        report_error(fields.context, path, text, error, start)
        return None
    if expression.secret is not None or "secret" in expression.names:
        detail = "a secret may stand only in the `with` of a connector and in `verify`"
        fields.report.problem(path, "secret-not-here", detail, see="secrets")
        return None
    check_names(fields.context, path, text, start, expression, scope)
    return expression


def value_at(fields: Fields, key: str, scope: Scope, *, secrets: bool = False) -> Value | None:
    """The compiled value of a field, its names checked; None if it has a problem."""
    return checked_value(fields.context, fields.at(key), fields.value[key], scope, secrets=secrets)


def checked_value(
    context: Context, path: Path, raw: Any, scope: Scope, *, secrets: bool = False
) -> Value | None:
    """Compile a value and check the names in it; the problems of all its texts are reported."""
    try:
        value = compile_value(raw, "", secrets_allowed=secrets)
    except ExpressionError as error:
        if not report_leaves(context, path, raw, secrets):
            report_error(context, path, "", error)
        return None
    for where, group in groupby(value.expressions, key=itemgetter(0)):
        inner = path_of(where, raw)
        text = text_at(raw, inner)
        holes = [piece for piece in split_template(text) if isinstance(piece, Hole)]
        for hole, (_, expression) in zip(holes, group, strict=True):
            if expression.secret is not None:
                use_secret(context, (*path, *inner), expression.secret)
            else:
                check_names(context, (*path, *inner), text, hole.start, expression, scope)
    return value


def report_leaves(context: Context, path: Path, raw: Any, secrets: bool) -> bool:
    """Report what is wrong in each text of a value that does not compile; False if none is."""
    reported = False
    for inner, text, is_key in texts_of(raw, ()):
        if is_key:
            detail = "a key can't hold an expression; keys are literal"
            where = (*path, *inner)
            context.report.problem(
                where, "expression-in-key", detail, see="fields", of_key=True, found=text
            )
            reported = True
            continue
        try:
            compile_value(text, "", secrets_allowed=secrets)
        except ExpressionError as error:
            report_error(context, (*path, *inner), text, error)
            reported = True
    return reported


def texts_of(raw: Any, path: Path) -> Iterator[tuple[Path, str, bool]]:
    """The texts and keys of a value that hold expressions."""
    if isinstance(raw, str):
        if OPENING in raw:
            yield path, raw, False
    elif isinstance(raw, dict):
        for key, inner in raw.items():
            if OPENING in key:
                yield (*path, key), key, True
            yield from texts_of(inner, (*path, key))
    elif isinstance(raw, list):
        for index, inner in enumerate(raw):
            yield from texts_of(inner, (*path, index))


def report_error(
    context: Context, path: Path, text: str, error: ExpressionError, start: int | None = None
) -> None:
    """Report what the compiler of expressions says, at its column in the file."""
    begin = error.start if error.start is not None else start
    within = None
    if begin is not None:
        within = (text, begin + max(error.column or 1, 1) - 1)
    detail = error.message
    if error.code == "expression-not-closed" and f"{text} #" in context.report.source.text:
        detail += "; in YAML ' #' begins a comment: an expression with it must be quoted"
    see = "secrets" if error.code.startswith("secret") else "expressions"
    context.report.problem(
        path,
        error.code,
        detail,
        see=see,
        found=error.found,
        mean=error.did_you_mean,
        within=within,
    )


def text_at(raw: Any, path: Path) -> str:
    """The text at a path of a value."""
    for key in path:
        raw = raw[key]
    return raw


def use_secret(context: Context, path: Path, name: str) -> None:
    """Note that a secret is used, and say if it does not exist."""
    context.secrets[name] = None
    exists = context.known.secrets
    if exists is not None and name not in exists:
        note = context.report.problem if context.known.publishing else context.report.warning
        detail = f"there is no secret {name!r} yet"
        note(path, "unknown-secret", detail, see="secrets", found=name, near=sorted(exists))


def check_names(
    context: Context, path: Path, text: str, start: int, expression: Expression, scope: Scope
) -> None:
    """Look up every name and path of an expression, and see that its variables are new names."""
    for name, column in expression.variables:
        new_name(context, path, name, scope, within=(text, start + column - 1))
    for name in sorted(name for name in expression.names if name not in scope.names):
        columns = [each.columns[0] for each in expression.paths if each.parts[0] == name]
        within = (text, start + columns[0] - 1) if columns else None
        detail = f"nothing named {name!r} can be seen here"
        if name in context.step_ids:
            detail = f"the step {name!r} can't be seen here: {ID_SCOPE}"
        near = list(scope.names)
        context.report.problem(
            path, "unknown-name", detail, see="scopes", found=name, near=near, within=within
        )
    for each in expression.paths:
        if each.parts[0] in scope.names:
            within = [(text, start + column - 1) for column in each.columns]
            check_path(context, path, each.parts, within, scope, asked=each.asked)


def check_path(
    context: Context,
    path: Path,
    parts: tuple[str, ...],
    within: list[tuple[str, int]],
    scope: Scope,
    *,
    asked: bool,
) -> None:
    """Follow a path below a name as far as its shape is known."""
    root, *keys = parts
    if root == "vars" and keys:
        use_variable(context, path, keys[0], within[1])
    shape = scope.names[root]
    for index, key in enumerate(keys, 1):
        verdict, inner = look(shape, key, context.looks)
        if verdict == "closed" or (verdict == "open" and not asked):
            # has(x.y) may ask for what can't be there; it is then always false.
            is_error = verdict == "closed" and not asked
            note = context.report.problem if is_error else context.report.warning
            detail = missing_key(".".join(parts[:index]), key, verdict, shape)
            near = partial(keys_of, shape)
            note(
                path,
                "unknown-key",
                detail,
                see="scopes",
                found=key,
                near=near,
                within=within[index],
            )
        if verdict in ("closed", "open"):
            return
        shape = inner


def missing_key(holder: str, key: str, verdict: str, shape: Shape) -> str:
    """Why a key can't be read, or may be missing."""
    holds = kind_of_shape(shape)
    if holds:
        return f"{holder} is {holds}; it has no keys"
    if verdict == "open":
        return f"the schema of {holder} does not name a key {key!r}; it may be missing"
    return f"{holder} has no key {key!r}"


def use_variable(context: Context, path: Path, name: str, within: tuple[str, int]) -> None:
    """Note that a variable is used, and say if it does not exist."""
    context.variables[name] = None
    exists = context.known.variables
    if exists is not None and name not in exists:
        note = context.report.problem if context.known.publishing else context.report.warning
        detail = f"there is no variable {name!r} yet"
        near = sorted(exists)
        note(path, "unknown-variable", detail, see="secrets", found=name, near=near, within=within)


def new_name(
    context: Context,
    path: Path,
    name: str,
    scope: Scope,
    within: tuple[str, int] | None = None,
) -> bool:
    """Whether a name may be given here; a problem if not."""
    if name in RESERVED or name in FUNCTIONS:
        what = "a function" if name in FUNCTIONS else "a word of the language"
        detail = f"{name!r} is {what}; take another name"
        rule = "name-reserved"
    elif name in scope.names:
        rule, detail = "name-taken", f"{name!r} can be seen here already; take another name"
    else:
        return True
    context.report.problem(path, rule, detail, see="scopes", found=name, within=within)
    return False


def shape_of_value(raw: Any, value: Value | None, scope: Scope, context: Context) -> Shape:
    """What is known about a value: the keys of an object, or what a lone path leads to."""
    lone = {} if value is None else {each.text: each for _, each in value.expressions}

    def shape_of(part: Any) -> Shape:
        if isinstance(part, dict):
            return Keys({key: shape_of(inner) for key, inner in part.items()})
        if not isinstance(part, str):
            return None
        expression = lone.get(part.strip().removeprefix("${{").removesuffix("}}"))
        return None if expression is None else shape_of_expression(expression, scope, context)

    return shape_of(raw)


def shape_of_expression(expression: Expression, scope: Scope, context: Context) -> Shape:
    """What is known about the result of an expression that is only a path."""
    for path in expression.paths:
        if expression.text.strip() == ".".join(path.parts) and path.parts[0] in scope.names:
            shape = scope.names[path.parts[0]]
            for key in path.parts[1:]:
                _, shape = look(shape, key, context.looks)
            return shape
    return None
