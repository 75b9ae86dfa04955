"""What the operators do to JSON values; every one checks types and pays for what it touches."""

from typing import Any

from libs.language.errors import ExpressionError, nearest
from libs.language.meter import Meter, a_kind, kind

INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1
_NUMBERS = frozenset({int, float})
_KEYS_SHOWN = 8


def type_error(message: str, found: Any) -> ExpressionError:
    return ExpressionError("expression-type", message, found=kind(found))


def number(value: int | float) -> int | float:
    """The number, if the language has it: 64 bits, or finite."""
    if type(value) is int:
        if INTEGER_MIN <= value <= INTEGER_MAX:
            return value
        raise ExpressionError("number-too-large", "an integer has 64 bits; write 1.0 * for more")
    if value - value == 0:
        return value
    raise ExpressionError("number-too-large", "the result is larger than a number can be")


def read_name(scope: Any, name: str) -> Any:
    try:
        return scope[name]
    except KeyError:
        close = nearest(name, scope)
        raise ExpressionError(
            "unknown-name", f"nothing is called {name} here", did_you_mean=close
        ) from None


def read_key(value: Any, key: str) -> Any:
    if type(value) is not dict:
        raise type_error(f'"{_short(key)}" is read of {a_kind(value)}, not an object', value)
    try:
        return value[key]
    except KeyError:
        raise _missing(value, key) from None


def read_at(meter: Meter, value: Any, key: Any) -> Any:
    """`value[key]`: a key of an object, a place in a list or text."""
    if type(value) is dict:
        if type(key) is not str:
            raise type_error(f"the key of an object is a text, not {a_kind(key)}", key)
        meter.charge(len(key) >> 6)
        return read_key(value, key)
    if type(value) is not list and type(value) is not str:
        raise type_error(f"[ ] reads an object, a list or a text, not {a_kind(value)}", value)
    if type(key) is not int:
        raise type_error(f"the place in a {kind(value)} is an integer, not {a_kind(key)}", key)
    try:
        return value[key]
    except IndexError:
        message = f"there is no place {key}, the {kind(value)} has {len(value)}"
        raise ExpressionError("index-out-of-range", message) from None


def cut(meter: Meter, value: Any, start: Any, end: Any) -> Any:
    """`value[start:end]`, either of which may be left out."""
    if type(value) is not list and type(value) is not str:
        raise type_error(f"a slice is of a list or a text, not {a_kind(value)}", value)
    for edge in (start, end):
        if edge is not ... and type(edge) is not int:
            raise type_error(f"the edge of a slice is an integer, not {a_kind(edge)}", edge)
    first, last = (None if edge is ... else edge for edge in (start, end))
    length = len(range(*slice(first, last).indices(len(value))))
    meter.charge(1 + (length >> (5 if type(value) is str else 3)))
    return value[first:last]


def can_read(meter: Meter, value: Any, keys: tuple[Any, ...]) -> bool:
    """`has(path)`: whether each key and place of the path is there."""
    for key in keys:
        meter.charge(1)
        if type(value) is dict and type(key) is str:
            meter.charge(len(key) >> 6)
            if key not in value:
                return False
        elif not (
            type(value) in (list, str) and type(key) is int and -len(value) <= key < len(value)
        ):
            return False
        value = value[key]
    return True


def _missing(value: dict[str, Any], key: str) -> ExpressionError:
    shown = ", ".join(_short(each) for each, _ in zip(value, range(_KEYS_SHOWN), strict=False))
    more = f" and {len(value) - _KEYS_SHOWN} more" if len(value) > _KEYS_SHOWN else ""
    there = f"there are {shown}{more}" if value else "the object is empty"
    return ExpressionError(
        "missing-key", f'no key "{_short(key)}": {there}', did_you_mean=nearest(key, value)
    )


def _short(key: str) -> str:
    return key if len(key) <= 40 else f"{key[:39]}…"


def truth(value: Any) -> bool:
    if type(value) is bool:
        return value
    raise type_error(f"true or false is wanted here, not {a_kind(value)}", value)


def text_key(meter: Meter, key: Any) -> str:
    if type(key) is not str:
        raise type_error(f"the key of an object is a text, not {a_kind(key)}", key)
    meter.charge(len(key) >> 6)
    return key


def looped(meter: Meter, value: Any, weight: int) -> list[Any]:
    """The list that a comprehension goes over, paid for in advance, `weight` steps an item."""
    if type(value) is not list:
        hint = "; write keys(x), values(x) or items(x)" if type(value) is dict else ""
        raise type_error(f"a comprehension goes over a list, not {a_kind(value)}{hint}", value)
    meter.charge(1 + len(value) * weight)
    return value


def _pair(sign: str, wanted: str, left: Any, right: Any) -> ExpressionError:
    wrong = right if type(left) in _NUMBERS else left
    return type_error(f"{a_kind(left)} {sign} {a_kind(right)}: {wanted}", wrong)


def add(meter: Meter, left: Any, right: Any) -> Any:
    a, b = type(left), type(right)
    if a in _NUMBERS and b in _NUMBERS:
        return number(left + right)
    if a is b and (a is str or a is list):
        meter.charge(1 + ((len(left) + len(right)) >> (5 if a is str else 3)))
        return left + right
    raise _pair("+", "it adds two numbers, two texts or two lists", left, right)


def subtract(meter: Meter, left: Any, right: Any) -> Any:
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        return number(left - right)
    raise _pair("-", "both must be numbers", left, right)


def multiply(meter: Meter, left: Any, right: Any) -> Any:
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        return number(left * right)
    raise _pair("*", "both must be numbers", left, right)


def divide(meter: Meter, left: Any, right: Any) -> Any:
    _divisible("/", left, right)
    return number(left / right)


def floor_divide(meter: Meter, left: Any, right: Any) -> Any:
    _divisible("//", left, right)
    return number(left // right)


def modulo(meter: Meter, left: Any, right: Any) -> Any:
    _divisible("%", left, right)
    return number(left % right)


def _divisible(sign: str, left: Any, right: Any) -> None:
    if type(left) not in _NUMBERS or type(right) not in _NUMBERS:
        raise _pair(sign, "both must be numbers", left, right)
    if right == 0:
        raise ExpressionError("division-by-zero", "the divisor is 0")


def negate(meter: Meter, value: Any) -> Any:
    if type(value) in _NUMBERS:
        return number(-value)
    raise type_error(f"the minus of {a_kind(value)}: it must be a number", value)
