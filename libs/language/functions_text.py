"""The functions over texts: their parts, their encodings and their digests."""

import base64
import binascii
import hashlib
import hmac
from typing import Any
from urllib.parse import quote

import msgspec

from libs.language import arguments
from libs.language.arguments import text, wrong_value
from libs.language.meter import DEPTH_MAX, Meter
from libs.language.operators import INTEGER_MAX, INTEGER_MIN, cut

_JSON = msgspec.json.Decoder()


def _paid(meter: Meter, function: str, place: int, value: Any, shift: int = 5) -> str:
    checked = text(function, place, value)
    meter.charge(1 + (len(checked) >> shift))
    return checked


def lower(meter: Meter, value: Any) -> str:
    return _paid(meter, "lower", 1, value, 4).lower()


def upper(meter: Meter, value: Any) -> str:
    return _paid(meter, "upper", 1, value, 4).upper()


def trim(meter: Meter, value: Any) -> str:
    return _paid(meter, "trim", 1, value).strip()


def split(meter: Meter, value: Any, separator: Any) -> list[str]:
    whole, by = _paid(meter, "split", 1, value), text("split", 2, separator)
    if not by:
        raise wrong_value("split", "the separator is empty")
    meter.charge(whole.count(by))
    return whole.split(by)


def join(meter: Meter, values: Any, separator: Any) -> str:
    parts = arguments.list_of("join", values, str)
    by = text("join", 2, separator)
    meter.charge(1 + len(parts) + ((sum(map(len, parts)) + len(by) * len(parts)) >> 5))
    return by.join(parts)


def replace(meter: Meter, value: Any, old: Any, new: Any) -> str:
    whole = _paid(meter, "replace", 1, value)
    before, after = text("replace", 2, old), text("replace", 3, new)
    if not before:
        raise wrong_value("replace", "the text to replace is empty")
    grown = whole.count(before) * max(len(after) - len(before), 0)
    meter.charge((len(whole) + grown) >> 5)
    return whole.replace(before, after)


def starts_with(meter: Meter, value: Any, part: Any) -> bool:
    return text("starts_with", 1, value).startswith(_paid(meter, "starts_with", 2, part))


def ends_with(meter: Meter, value: Any, part: Any) -> bool:
    return text("ends_with", 1, value).endswith(_paid(meter, "ends_with", 2, part))


def contains(meter: Meter, value: Any, part: Any) -> bool:
    return _paid(meter, "contains", 2, part) in _paid(meter, "contains", 1, value)


def slice_(meter: Meter, value: Any, start: Any, end: Any) -> Any:
    if type(value) not in (str, list):
        raise arguments.wrong_type("slice", 1, "a text or a list", value)
    first, last = arguments.integer("slice", 2, start), arguments.integer("slice", 3, end)
    return cut(meter, value, first, last)


def text_(meter: Meter, value: Any) -> str:
    return value if type(value) is str else meter.as_json(value)


def to_json(meter: Meter, value: Any) -> str:
    return meter.as_json(value)


def from_json(meter: Meter, value: Any) -> Any:
    source = _paid(meter, "from_json", 1, value, 2)
    try:
        got = _JSON.decode(source)
    except (msgspec.DecodeError, RecursionError, ValueError):
        raise wrong_value("from_json", "the text is not JSON") from None
    _check_json(got)
    return got


def _check_json(value: Any) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEPTH_MAX:
            raise wrong_value("from_json", f"the value is nested deeper than {DEPTH_MAX}")
        inner: list[Any] = []
        for each in level:
            if type(each) is list:
                inner += each
            elif type(each) is dict:
                inner += each.values()
            elif type(each) is int and not INTEGER_MIN <= each <= INTEGER_MAX:
                raise wrong_value("from_json", "an integer has more than 64 bits")
        level = inner


def base64_(meter: Meter, value: Any) -> str:
    return base64.b64encode(_paid(meter, "base64", 1, value, 4).encode()).decode()


def from_base64(meter: Meter, value: Any) -> str:
    try:
        return base64.b64decode(_paid(meter, "from_base64", 1, value), validate=True).decode()
    except (binascii.Error, ValueError):
        raise wrong_value("from_base64", "the text is not Base64 of a UTF-8 text") from None


def url_encode(meter: Meter, value: Any) -> str:
    return quote(_paid(meter, "url_encode", 1, value, 2), safe="")


def sha256(meter: Meter, value: Any) -> str:
    return hashlib.sha256(_paid(meter, "sha256", 1, value).encode()).hexdigest()


def hmac_sha256(meter: Meter, value: Any, key: Any) -> str:
    secret = _paid(meter, "hmac_sha256", 2, key).encode()
    return hmac.digest(secret, _paid(meter, "hmac_sha256", 1, value).encode(), "sha256").hex()
