"""The functions of the language: name, how many arguments, what it does."""

from collections.abc import Callable
from typing import Any, NamedTuple

from libs.language import functions_list as lists
from libs.language import functions_number as numbers
from libs.language import functions_text as texts
from libs.language import functions_time as times

HAS = "has"


class Function(NamedTuple):
    """A function of the language; its first parameter in Python is the meter."""

    arity: int
    call: Callable[..., Any]


TABLE: dict[str, Function] = {
    "len": Function(1, lists.len_),
    "lower": Function(1, texts.lower),
    "upper": Function(1, texts.upper),
    "trim": Function(1, texts.trim),
    "split": Function(2, texts.split),
    "join": Function(2, texts.join),
    "replace": Function(3, texts.replace),
    "starts_with": Function(2, texts.starts_with),
    "ends_with": Function(2, texts.ends_with),
    "contains": Function(2, texts.contains),
    "slice": Function(3, texts.slice_),
    "text": Function(1, texts.text_),
    "int": Function(1, numbers.int_),
    "number": Function(1, numbers.number_),
    "round": Function(2, numbers.round_),
    "abs": Function(1, numbers.abs_),
    "floor": Function(1, numbers.floor),
    "ceil": Function(1, numbers.ceil),
    "sum": Function(1, lists.sum_),
    "min": Function(1, lists.min_),
    "max": Function(1, lists.max_),
    "sort": Function(1, lists.sort),
    "sort_by": Function(2, lists.sort_by),
    "reverse": Function(1, lists.reverse),
    "unique": Function(1, lists.unique),
    "flatten": Function(1, lists.flatten),
    "range": Function(1, lists.range_),
    "zip": Function(2, lists.zip_),
    "keys": Function(1, lists.keys),
    "values": Function(1, lists.values_),
    "items": Function(1, lists.items_),
    "get": Function(3, lists.get),
    "default": Function(2, lists.default),
    "merge": Function(2, lists.merge),
    "type": Function(1, lists.type_),
    "to_json": Function(1, texts.to_json),
    "from_json": Function(1, texts.from_json),
    "base64": Function(1, texts.base64_),
    "from_base64": Function(1, texts.from_base64),
    "url_encode": Function(1, texts.url_encode),
    "sha256": Function(1, texts.sha256),
    "hmac_sha256": Function(2, texts.hmac_sha256),
    "now": Function(0, times.now),
    "parse_time": Function(2, times.parse_time),
    "format_time": Function(3, times.format_time),
    "add_time": Function(2, times.add_time),
}
# `has` takes a path, not a value, so the compiler makes it.
FUNCTIONS = frozenset(TABLE) | {HAS}
