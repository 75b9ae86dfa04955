"""A JSON value whose texts may contain expressions, compiled once and evaluated as one."""

from collections.abc import Mapping
from typing import Any

from libs.language.errors import ExpressionError, NeedsWorker
from libs.language.expression import Expression, compile_expression
from libs.language.meter import STEPS_INLINE_MAX, STEPS_MAX, Meter
from libs.language.pieces import Constant, Listing, Node, Object, Secret, Text, Whole
from libs.language.scan import Hole, has_expression, split_template
from libs.language.secrets import SecretPlace

DEPTH_MAX = 60


class Value:
    """A compiled value; its expressions share one budget, and what they give together 1 MiB.

    `expressions` are pairs of JSON pointer and expression in the order of the document, those
    that are a secret included; `names` are read from the scope, `secrets` are referred to and
    `secret_places` say where (see `fill_secrets`). Results may share parts with the scope and,
    when constant, with each other: change neither.
    """

    __slots__ = (
        *("_root", "expressions", "is_constant", "names", "secret_places", "secrets"),
        *("secrets_allowed", "source", "where"),
    )

    def __init__(self, source: Any, where: str, secrets_allowed: bool) -> None:
        compiler = _Compiler(secrets_allowed)
        self._root = compiler.node(source, where, ())
        self.source = source
        self.where = where
        self.secrets_allowed = secrets_allowed
        self.expressions = tuple(compiler.expressions)
        self.secret_places = tuple(compiler.places)
        self.secrets = frozenset(name for place in self.secret_places for name in place.names)
        plain = [each for _, each in self.expressions if each.secret is None]
        self.names = frozenset().union(*(each.names for each in plain))
        self.is_constant = not self.expressions

    def evaluate(self, scope: Mapping[str, Any], clock: str, budget_steps: int = STEPS_MAX) -> Any:
        """The value; secrets are references, `{"$secret": name}`, never their values."""
        return self._root.give(scope, Meter(budget_steps, clock))

    def evaluate_inline(self, scope: Mapping[str, Any], clock: str) -> Any:
        """The value if little work gives it, for an event loop; else NeedsWorker."""
        try:
            return self.evaluate(scope, clock, STEPS_INLINE_MAX)
        except ExpressionError as error:
            if error.code != "expression-too-expensive":
                raise
            raise NeedsWorker(self.where) from None


def compile_value(value: Any, where: str, *, secrets_allowed: bool = False) -> Value:
    """Compiles every text in the value; `where` is the JSON pointer that its errors begin with."""
    return Value(value, where, secrets_allowed)


class _Compiler:
    def __init__(self, secrets_allowed: bool) -> None:
        self._secrets_allowed = secrets_allowed
        self.expressions: list[tuple[str, Expression]] = []
        self.places: list[SecretPlace] = []

    def node(self, value: Any, where: str, path: tuple[str | int, ...]) -> Node:
        if len(path) > DEPTH_MAX:
            message = f"the value is nested deeper than {DEPTH_MAX}"
            raise ExpressionError("value-too-deep", message, where=where)
        if isinstance(value, str):
            return self._text(value, where, path) if has_expression(value) else Constant(value)
        if isinstance(value, list):
            members = [
                self.node(each, f"{where}/{at}", (*path, at)) for at, each in enumerate(value)
            ]
            return Listing(members) if _any_alive(members) else _constant_list(members)
        if isinstance(value, dict):
            fields = {key: self._field(key, value[key], where, path) for key in value}
            return Object(fields) if _any_alive(fields.values()) else _constant_object(fields)
        return Constant(value)

    def _field(self, key: str, value: Any, where: str, path: tuple[str | int, ...]) -> Node:
        pointer = f"{where}/{key.replace('~', '~0').replace('/', '~1')}"
        if has_expression(key):
            message = "a key holds no expression; build the object with {key: value}"
            raise ExpressionError("expression-in-key", message, where=pointer)
        return self.node(value, pointer, (*path, key))

    def _text(self, text: str, where: str, path: tuple[str | int, ...]) -> Node:
        try:
            pieces = split_template(text)
        except ExpressionError as error:
            error.where = where
            raise
        parts = [self._hole(each, where) if isinstance(each, Hole) else each for each in pieces]
        names = tuple(each.name for each in parts if isinstance(each, Secret))
        if names:
            self.places.append(SecretPlace(path, names))
        whole = [each for each in parts if not isinstance(each, str) or each.strip()]
        if len(whole) == 1 and not isinstance(whole[0], str):
            return whole[0]
        if all(isinstance(each, str) for each in parts):
            return Constant("".join(str(each) for each in parts))
        return Text(parts)

    def _hole(self, hole: Hole, where: str) -> Whole | Secret:
        try:
            expression = compile_expression(hole.text)
            self._check_secret(expression)
        except ExpressionError as error:
            # A compiled expression is shared, its errors are not: each raise makes its own.
            error.where, error.start = where, hole.start
            raise
        self.expressions.append((where, expression))
        if expression.secret is not None:
            return Secret(expression.secret)
        return Whole(expression, where, hole.start)

    def _check_secret(self, expression: Expression) -> None:
        if "secret" not in expression.names:
            return
        column = next(each.columns[0] for each in expression.paths if each.parts[0] == "secret")
        if expression.secret is None:
            message = "a secret stands alone, as ${{ secret.name }}, in no larger expression"
            raise ExpressionError("secret-in-expression", message, column)
        if not self._secrets_allowed:
            message = "a secret stands only in the with of a connector or in verify"
            raise ExpressionError("secret-not-here", message, column)


def _any_alive(nodes: Any) -> bool:
    return any(not isinstance(each, Constant) for each in nodes)


def _constant_list(members: list[Node]) -> Constant:
    return Constant([each.value for each in members if isinstance(each, Constant)])


def _constant_object(fields: dict[str, Node]) -> Constant:
    alike = {key: each.value for key, each in fields.items() if isinstance(each, Constant)}
    return Constant(alike)
