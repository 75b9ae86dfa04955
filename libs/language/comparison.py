"""Equality as JSON means it, membership and order, charged by the size of what is compared."""

from typing import Any

from libs.language.meter import Meter, a_kind
from libs.language.operators import type_error

_NUMBERS = frozenset({int, float})
_DEEP = frozenset({list, dict})


def equal(meter: Meter, left: Any, right: Any) -> bool:
    """Deep; 1 equals 1.0, and values of different types never are equal, 1 and true neither."""
    kind = type(left)
    if kind is not type(right):
        return kind in _NUMBERS and type(right) in _NUMBERS and left == right
    if kind in _DEEP:
        return _deeply_equal(meter, left, right)
    if kind is str and len(left) > 63 and len(left) == len(right):
        meter.charge(len(left) >> 6)
    return left == right


def unequal(meter: Meter, left: Any, right: Any) -> bool:
    return not equal(meter, left, right)


def _deeply_equal(meter: Meter, left: Any, right: Any) -> bool:
    pairs = [(left, right)]
    while pairs:
        a, b = pairs.pop()
        kind = type(a)
        if kind not in _DEEP:
            if not equal(meter, a, b):
                return False
            continue
        if kind is not type(b) or len(a) != len(b):
            return False
        meter.charge(1 + len(a))
        if kind is list:
            pairs.extend(zip(a, b, strict=True))
            continue
        meter.charge(sum(map(len, a)) >> 6)
        if a.keys() != b.keys():
            return False
        pairs.extend((a[key], b[key]) for key in a)
    return True


def contains(meter: Meter, value: Any, inside: Any) -> bool:
    """`value in inside`: a value in a list, a key in an object, a text in a text."""
    if type(inside) is list:
        for each in inside:
            meter.charge(1)
            if equal(meter, value, each):
                return True
        return False
    if type(inside) is dict:
        if type(value) is not str:
            raise type_error(f"the key of an object is a text, not {a_kind(value)}", value)
        meter.charge(len(value) >> 6)
        return value in inside
    if type(inside) is str:
        if type(value) is not str:
            raise type_error(f"in a text there are texts, not {a_kind(value)}", value)
        meter.charge(1 + ((len(value) + len(inside)) >> 6))
        return value in inside
    raise type_error(f"in looks into a list, an object or a text, not {a_kind(inside)}", inside)


def lacks(meter: Meter, value: Any, inside: Any) -> bool:
    return not contains(meter, value, inside)


def less(meter: Meter, left: Any, right: Any) -> bool:
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        return left < right
    return _texts(meter, "<", left, right) and left < right


def less_or_equal(meter: Meter, left: Any, right: Any) -> bool:
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        return left <= right
    return _texts(meter, "<=", left, right) and left <= right


def greater(meter: Meter, left: Any, right: Any) -> bool:
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        return left > right
    return _texts(meter, ">", left, right) and left > right


def greater_or_equal(meter: Meter, left: Any, right: Any) -> bool:
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        return left >= right
    return _texts(meter, ">=", left, right) and left >= right


def _texts(meter: Meter, sign: str, left: Any, right: Any) -> bool:
    if type(left) is not str or type(right) is not str:
        wrong = right if type(left) in _NUMBERS or type(left) is str else left
        message = f"{a_kind(left)} {sign} {a_kind(right)}: it orders two numbers or two texts"
        raise type_error(message, wrong)
    meter.charge(min(len(left), len(right)) >> 6)
    return True


def chain(meter: Meter, first: Any, links: tuple[Any, ...]) -> bool:
    """`a < b < c`: each is evaluated once, and those after the first that does not hold never."""
    for compare, then in links:
        following = then()
        if not compare(meter, first, following):
            return False
        first = following
    return True
