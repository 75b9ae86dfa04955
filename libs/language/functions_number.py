"""The functions that make and round numbers."""

import math
import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from libs.language import arguments
from libs.language.arguments import wrong_type, wrong_value
from libs.language.meter import Meter
from libs.language.operators import number

_INTEGER = re.compile(r"-?[0-9]{1,400}")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,400})(\.[0-9]{1,400})?([eE][-+]?[0-9]{1,5})?")
_DECIMAL = Context(prec=400)
DIGITS_MAX = 15


def int_(meter: Meter, value: Any) -> int:
    if type(value) is int:
        return value
    if type(value) is float:
        if not value.is_integer():
            raise wrong_value("int", "the number has a fraction; write round, floor or ceil")
        return _whole(value)
    if type(value) is not str:
        raise wrong_type("int", 1, "a text or a number", value)
    if _INTEGER.fullmatch(value) is None:
        raise wrong_value("int", "the text is not an integer")
    return _whole(int(value))


def number_(meter: Meter, value: Any) -> int | float:
    if type(value) is int or type(value) is float:
        return value
    if type(value) is not str:
        raise wrong_type("number", 1, "a text or a number", value)
    match = _NUMBER.fullmatch(value)
    if match is None:
        raise wrong_value("number", "the text is not a number")
    return number(float(value) if match[2] or match[3] else int(value))


def round_(meter: Meter, value: Any, digits: Any) -> int | float:
    """Half away from zero, of the number as it is written; without digits an integer."""
    given, places = arguments.number("round", 1, value), arguments.integer("round", 2, digits)
    if not -DIGITS_MAX <= places <= DIGITS_MAX:
        raise wrong_value("round", f"digits are from -{DIGITS_MAX} to {DIGITS_MAX}")
    if type(given) is int and places >= 0:
        return given
    exact = Decimal(repr(given)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, _DECIMAL)
    return number(float(exact)) if places > 0 else _whole(int(exact))


def abs_(meter: Meter, value: Any) -> int | float:
    return number(abs(arguments.number("abs", 1, value)))


def floor(meter: Meter, value: Any) -> int:
    return _whole(math.floor(arguments.number("floor", 1, value)))


def ceil(meter: Meter, value: Any) -> int:
    return _whole(math.ceil(arguments.number("ceil", 1, value)))


def _whole(value: int | float) -> int:
    return int(number(int(value)))
