"""Lists: keyset pages over (sort value, id), newest first unless asked otherwise."""

import base64
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Select, tuple_

from libs.common.errors import Malformed
from libs.common.lists import Page as Page
from libs.common.lists import PageQuery as PageQuery

T = TypeVar("T")


def seek(
    statement: Select[Any], query: PageQuery, moment: ColumnElement[Any], unique: ColumnElement[Any]
) -> Select[Any]:
    """The statement, ordered, from the place on; asks for one row more than the limit."""
    key = tuple_(moment, unique)
    if query.after is not None:
        place = _decode(query.after, (_kind(moment), _kind(unique)))
        statement = statement.where(key < place if query.order == "desc" else key > place)
    order = [moment.desc(), unique.desc()] if query.order == "desc" else [moment, unique]
    return statement.order_by(*order).limit(query.limit + 1)


def page_of(
    rows: Sequence[Any], query: PageQuery, place: Callable[[Any], tuple[Any, Any]],
    shown: Sequence[T] | None = None,
) -> Page[T]:  # fmt: skip
    """`rows` as `seek` found them (one more means: there is a next page), shown as `shown`."""
    kept = list(rows[: query.limit])
    more = _encode(place(kept[-1])) if len(rows) > query.limit else None
    data = list(shown[: query.limit]) if shown is not None else kept
    return Page[Any](data=data, next=more)


def page_in_memory(
    items: Sequence[T], query: PageQuery, place: Callable[[T], tuple[Any, Any]]
) -> Page[T]:
    """A page of a list that is no table (plans, types): ordered and sought as `seek` does it."""
    ordered = sorted(items, key=place, reverse=query.order == "desc")
    if query.after is not None:
        first, second = place(ordered[0]) if ordered else (None, None)
        after = _decode(query.after, (type(first), type(second)))
        behind = (lambda key: key < after) if query.order == "desc" else (lambda key: key > after)
        ordered = [item for item in ordered if behind(place(item))]
    return page_of(ordered[: query.limit + 1], query, place)


def _encode(place: tuple[Any, Any]) -> str:
    parts = [{"t": p.isoformat()} if isinstance(p, datetime) else p for p in place]
    return base64.urlsafe_b64encode(msgspec.json.encode(parts)).decode()


def _kind(column: ColumnElement[Any]) -> type:
    try:
        return column.type.python_type
    except NotImplementedError:
        return object


def _decode(text: str, kinds: tuple[type, type]) -> tuple[Any, ...]:
    """The place in a cursor; Malformed for what `_encode` never made of values of these kinds."""
    try:
        parts = msgspec.json.decode(base64.urlsafe_b64decode(text.encode()), type=list)
        place = tuple(datetime.fromisoformat(p["t"]) if isinstance(p, dict) else p for p in parts)
    except (ValueError, KeyError, TypeError, msgspec.DecodeError):
        raise Malformed("this cursor was not made by us") from None
    if len(place) != 2 or not all(map(_is_a, place, kinds)):
        raise Malformed("this cursor was not made by us")
    return place


def _is_a(value: Any, kind: type) -> bool:
    if isinstance(value, bool) or (isinstance(value, int) and not -(2**63) <= value < 2**63):
        return False
    if isinstance(value, str) and "\x00" in value:
        return False
    return isinstance(value, kind)
