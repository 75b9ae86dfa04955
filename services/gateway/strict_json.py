"""JSON as the API takes it: no second meaning, nothing that another parser would read otherwise."""

import json
import math
from typing import Any, NoReturn

from libs.common.errors import FieldProblem
from services.gateway.refusals import MalformedJson

DEPTH_MAX = 40
INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1


class _Refused(ValueError):
    """A value that JSON's grammar allows and we do not."""


def _refuse_constant(text: str) -> NoReturn:
    raise _Refused(f"{text} is no JSON")


def _whole(text: str) -> int:
    if len(text) > 20 or not INT_MIN <= (number := int(text)) <= INT_MAX:
        raise _Refused("a whole number has at most 64 bits")
    return number


def _broken(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _Refused("a number is out of range")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused("an object has the same key twice")
    return found


_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_whole, parse_float=_broken,
    parse_constant=_refuse_constant,
)  # fmt: skip


def loads(body: bytes) -> Any:
    """The value. Raises MalformedJson with line and column, never with what was in the body."""
    try:
        value = _decoder.decode(body.decode())
        if b"\\u" in body or body.count(b"{") + body.count(b"[") > DEPTH_MAX:
            _walk(value)
    except UnicodeDecodeError:
        raise MalformedJson("the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        problem = FieldProblem(
            pointer="", rule="json-syntax", detail=error.msg, line=error.lineno, column=error.colno
        )
        raise MalformedJson("the body is not JSON", errors=[problem]) from None
    except RecursionError:
        raise MalformedJson(f"nested deeper than {DEPTH_MAX}") from None
    except _Refused as error:
        raise MalformedJson(str(error)) from None
    return value


def _walk(value: Any) -> None:
    """Refuses depth over 40 and lone surrogates; without recursion."""
    level, depth = [value], 0
    while level:
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                _encodable(item)
            elif isinstance(item, dict):
                for key in item:
                    _encodable(key)
                below += item.values()
            elif isinstance(item, list):
                below += item
        if any(isinstance(item, dict | list) for item in level):
            depth += 1
        if depth > DEPTH_MAX:
            raise _Refused(f"nested deeper than {DEPTH_MAX}")
        level = below


def _encodable(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Refused("a text holds half of a surrogate pair") from None
