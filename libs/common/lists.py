"""What every list takes and gives; pure, so that contracts may use it (the SQL is in pages.py)."""

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import Field

from libs.common.fields import Count, DataClass, Meaning
from libs.common.messages import Message, Query

T = TypeVar("T")
Place = Annotated[
    str, Field(max_length=400), Meaning(DataClass.INDIRECT, "place in a list, opaque")
]


class PageQuery(Query):
    """What every list takes; `after` is what the page before gave as `next`."""

    limit: Annotated[Count, Field(ge=1, le=200)] = 50
    after: Place | None = None
    order: Literal["desc", "asc"] = "desc"


class Page(Message, Generic[T]):
    """One page; `next` is None at the end."""

    data: list[T]
    next: Place | None = None
