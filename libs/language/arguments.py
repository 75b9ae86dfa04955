"""The checks that functions make of their arguments, and how they name what is wrong."""

from typing import Any

from libs.language.errors import ExpressionError
from libs.language.meter import a_kind, kind

_NUMBERS = frozenset({int, float})
_TEXTS = frozenset({str})
_PLURALS = {str: "texts", list: "lists", dict: "objects"}


def wrong_type(function: str, place: int, wanted: str, found: Any) -> ExpressionError:
    return ExpressionError(
        "expression-type",
        f"{function}: argument {place} is {a_kind(found)}, not {wanted}",
        found=kind(found),
    )


def wrong_value(function: str, message: str) -> ExpressionError:
    return ExpressionError("expression-value", f"{function}: {message}")


def text(function: str, place: int, value: Any) -> str:
    if type(value) is not str:
        raise wrong_type(function, place, "a text", value)
    return value


def integer(function: str, place: int, value: Any) -> int:
    if type(value) is not int:
        raise wrong_type(function, place, "an integer", value)
    return value


def number(function: str, place: int, value: Any) -> int | float:
    if type(value) not in _NUMBERS:
        raise wrong_type(function, place, "a number", value)
    return value


def items(function: str, place: int, value: Any) -> list[Any]:
    if type(value) is not list:
        raise wrong_type(function, place, "a list", value)
    return value


def mapping(function: str, place: int, value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise wrong_type(function, place, "an object", value)
    return value


def wrong_item(function: str, at: int, found: Any, takes: str) -> ExpressionError:
    return ExpressionError(
        "expression-type",
        f"{function}: argument 1 is {takes}, and item {at} is {a_kind(found)}",
        found=kind(found),
    )


def list_of(function: str, value: Any, wanted: type) -> list[Any]:
    """The first argument, a list in which every item has the type."""
    for at, each in enumerate(items(function, 1, value)):
        if type(each) is not wanted:
            raise wrong_item(function, at, each, f"a list of {_PLURALS[wanted]}")
    return value


def comparable(function: str, values: list[Any]) -> list[Any]:
    """The values when all are numbers or all are texts."""
    found = set(map(type, values))
    if found <= _NUMBERS or found == _TEXTS:
        return values
    allowed = _TEXTS if type(values[0]) is str else _NUMBERS
    for at, each in enumerate(values):
        if type(each) not in allowed:
            raise wrong_item(function, at, each, "a list of only numbers or only texts")
    return values
