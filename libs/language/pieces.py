"""The pieces of a compiled value: what is constant, what is evaluated, what is a secret."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from libs.language.errors import ExpressionError
from libs.language.expression import Expression
from libs.language.meter import Meter
from libs.language.secrets import reference, text_with_references

Scope = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Constant:
    """No expression in it."""

    value: Any

    def give(self, scope: Scope, meter: Meter) -> Any:
        return self.value


@dataclass(frozen=True, slots=True)
class Whole:
    """One expression, whose value keeps its type."""

    expression: Expression
    where: str
    start: int

    def give(self, scope: Scope, meter: Meter) -> Any:
        try:
            return self.expression.run(scope, meter)
        except ExpressionError as error:
            error.where, error.start = self.where, self.start
            raise

    def give_text(self, scope: Scope, meter: Meter) -> str:
        """Its value as it stands in a text; null has no place in one."""
        value = self.give(scope, meter)
        if type(value) is str:
            return value
        try:
            if value is None:
                message = 'the value is null and has no text; write default(x, "")'
                column = 1 + len(self.expression.text) - len(self.expression.text.lstrip())
                raise ExpressionError("null-in-text", message, column, found="null")
            return meter.as_json(value)
        except ExpressionError as error:
            error.where, error.start = self.where, self.start
            raise


@dataclass(frozen=True, slots=True)
class Secret:
    """A reference; the value is filled in elsewhere, when the call is made."""

    name: str

    def give(self, scope: Scope, meter: Meter) -> Any:
        return reference(self.name)


@dataclass(frozen=True, slots=True)
class Text:
    """Text with expressions in it."""

    parts: Sequence[str | Whole | Secret]

    def give(self, scope: Scope, meter: Meter) -> Any:
        given = [
            part if isinstance(part, str) else self._piece(part, scope, meter)
            for part in self.parts
        ]
        joined: list[Any] = []
        for textual, run in groupby(given, lambda each: isinstance(each, str)):
            pieces = list(run)
            joined += ["".join(pieces)] if textual else pieces
        if len(joined) == 1 and isinstance(joined[0], str):
            return joined[0]
        return text_with_references(joined)

    def _piece(self, part: Whole | Secret, scope: Scope, meter: Meter) -> Any:
        if isinstance(part, Secret):
            return part.give(scope, meter)
        return part.give_text(scope, meter)


@dataclass(frozen=True, slots=True)
class Listing:
    """A list with expressions somewhere in it."""

    members: Sequence["Node"]

    def give(self, scope: Scope, meter: Meter) -> Any:
        return [each.give(scope, meter) for each in self.members]


@dataclass(frozen=True, slots=True)
class Object:
    """An object with expressions somewhere in its values."""

    fields: Mapping[str, "Node"]

    def give(self, scope: Scope, meter: Meter) -> Any:
        return {key: each.give(scope, meter) for key, each in self.fields.items()}


Node = Constant | Whole | Secret | Text | Listing | Object
