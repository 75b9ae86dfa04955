"""What every list takes and gives; pure, so that contracts may use it (the SQL is in pages.py)."""

import base64
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from pydantic import Field

from libs.common.errors import Malformed
from libs.common.fields import Count, indirect
from libs.common.messages import Message, Query

T = TypeVar("T")
Place = Annotated[str, Field(max_length=400), indirect("place in a list, opaque")]


class PageQuery(Query):
    """What every list takes; `after` is what the page before gave as `next`."""

    limit: Annotated[Count, Field(ge=1, le=200)] = 50
    after: Place | None = None
    order: Literal["desc", "asc"] = "desc"


class Page(Message, Generic[T]):
    """One page; `next` is None at the end."""

    data: list[T]
    next: Place | None = None


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
        after = place_of(query.after, (type(first), type(second)))
        behind = (lambda key: key < after) if query.order == "desc" else (lambda key: key > after)
        ordered = [item for item in ordered if behind(place(item))]
    return page_of(ordered[: query.limit + 1], query, place)


def _encode(place: tuple[Any, Any]) -> str:
    parts = [{"t": p.isoformat()} if isinstance(p, datetime) else p for p in place]
    return base64.urlsafe_b64encode(msgspec.json.encode(parts)).decode()


def place_of(text: str, kinds: tuple[type, type]) -> tuple[Any, ...]:
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
