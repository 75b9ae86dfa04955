"""The functions over lists and objects."""

from typing import Any

from libs.language import arguments
from libs.language.arguments import items, list_of, mapping, wrong_type, wrong_value
from libs.language.meter import Meter, kind
from libs.language.operators import number, read_key

RANGE_MAX = 10_000
_INTEGERS = list(range(RANGE_MAX))
_SIZED = (str, list, dict)


def len_(meter: Meter, value: Any) -> int:
    if type(value) not in _SIZED:
        raise wrong_type("len", 1, "a text, a list or an object", value)
    return len(value)


def sum_(meter: Meter, values: Any) -> int | float:
    total: int | float = 0
    whole = items("sum", 1, values)
    meter.charge(len(whole) >> 2)
    for at, each in enumerate(whole):
        if type(each) is not int and type(each) is not float:
            raise arguments.wrong_item("sum", at, each, "a list of numbers")
        total = number(total + each)
    return total


def min_(meter: Meter, values: Any) -> Any:
    return min(_not_empty(meter, "min", values))


def max_(meter: Meter, values: Any) -> Any:
    return max(_not_empty(meter, "max", values))


def _not_empty(meter: Meter, function: str, values: Any) -> list[Any]:
    if not items(function, 1, values):
        raise wrong_value(function, "the list is empty")
    return _ordered(meter, function, values)


def sort(meter: Meter, values: Any) -> list[Any]:
    return sorted(_ordered(meter, "sort", items("sort", 1, values)))


def sort_by(meter: Meter, values: Any, key: Any) -> list[Any]:
    name = arguments.text("sort_by", 2, key)
    objects = list_of("sort_by", values, dict)
    keys = _ordered(meter, "sort_by", [read_key(each, name) for each in objects])
    places = sorted(range(len(objects)), key=keys.__getitem__)
    return [objects[at] for at in places]


def _ordered(meter: Meter, function: str, values: list[Any]) -> list[Any]:
    """The values, which can be ordered, paid for as often as sorting them looks at them."""
    looks = 1 + (len(values).bit_length() >> 2)
    meter.charge(1 + len(values) * looks)
    if not values:
        return values
    arguments.comparable(function, values)
    if type(values[0]) is str:
        meter.charge((sum(map(len, values)) >> 5) * looks)
    return values


def reverse(meter: Meter, values: Any) -> list[Any]:
    whole = items("reverse", 1, values)
    meter.charge(1 + (len(whole) >> 3))
    return whole[::-1]


def unique(meter: Meter, values: Any) -> list[Any]:
    """Each value once, where it first stood; equality is the language's."""
    whole = items("unique", 1, values)
    meter.charge(1 + len(whole) * 2 + (meter.weigh(whole) >> 3))
    first: dict[Any, Any] = {}
    for each in whole:
        first.setdefault(_same(each), each)
    return list(first.values())


def _same(value: Any) -> Any:
    """What is equal for equal values and hashable; 1 and true are kept apart."""
    if type(value) is list:
        return ("list", *map(_same, value))
    if type(value) is dict:
        return frozenset((key, _same(each)) for key, each in value.items())
    return ("boolean", value) if type(value) is bool else value


def flatten(meter: Meter, values: Any) -> list[Any]:
    whole = items("flatten", 1, values)
    meter.charge(1 + len(whole))
    flat: list[Any] = []
    for each in whole:
        if type(each) is list:
            meter.charge(len(each) >> 3)
            flat += each
        else:
            flat.append(each)
    return flat


def range_(meter: Meter, count: Any) -> list[int]:
    wanted = arguments.integer("range", 1, count)
    if not 0 <= wanted <= RANGE_MAX:
        raise wrong_value("range", f"it counts from 0 to {RANGE_MAX}, not to {wanted}")
    meter.charge(1 + (wanted >> 3))
    return _INTEGERS[:wanted]


def zip_(meter: Meter, left: Any, right: Any) -> list[list[Any]]:
    pairs = zip(items("zip", 1, left), items("zip", 2, right), strict=False)
    meter.charge(1 + min(len(left), len(right)))
    return [list(pair) for pair in pairs]


def keys(meter: Meter, value: Any) -> list[str]:
    whole = mapping("keys", 1, value)
    meter.charge(1 + (len(whole) >> 3))
    return list(whole)


def values_(meter: Meter, value: Any) -> list[Any]:
    whole = mapping("values", 1, value)
    meter.charge(1 + (len(whole) >> 3))
    return list(whole.values())


def items_(meter: Meter, value: Any) -> list[list[Any]]:
    whole = mapping("items", 1, value)
    meter.charge(1 + len(whole))
    return [list(pair) for pair in whole.items()]


def get(meter: Meter, value: Any, key: Any, default: Any) -> Any:
    """The value under the key or at the place, else the default."""
    if type(value) is dict:
        meter.charge(len(arguments.text("get", 2, key)) >> 6)
        return value.get(key, default)
    if type(value) is not list and type(value) is not str:
        raise wrong_type("get", 1, "an object, a list or a text", value)
    at = arguments.integer("get", 2, key)
    return value[at] if -len(value) <= at < len(value) else default


def default(meter: Meter, value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else value


def merge(meter: Meter, left: Any, right: Any) -> dict[str, Any]:
    meter.charge(1 + 2 * (len(mapping("merge", 1, left)) + len(mapping("merge", 2, right))))
    return {**left, **right}


def type_(meter: Meter, value: Any) -> str:
    return kind(value)
