"""Lists in SQL: keyset pages over (sort value, id), newest first unless asked otherwise."""

from typing import Any

from sqlalchemy import ColumnElement, Select, tuple_

from libs.common.lists import Page as Page
from libs.common.lists import PageQuery as PageQuery
from libs.common.lists import page_in_memory as page_in_memory
from libs.common.lists import page_of as page_of
from libs.common.lists import place_of


def seek(
    statement: Select[Any], query: PageQuery, moment: ColumnElement[Any], unique: ColumnElement[Any]
) -> Select[Any]:
    """The statement, ordered, from the place on; asks for one row more than the limit."""
    key = tuple_(moment, unique)
    if query.after is not None:
        place = place_of(query.after, (_kind(moment), _kind(unique)))
        statement = statement.where(key < place if query.order == "desc" else key > place)
    order = [moment.desc(), unique.desc()] if query.order == "desc" else [moment, unique]
    return statement.order_by(*order).limit(query.limit + 1)


def _kind(column: ColumnElement[Any]) -> type:
    try:
        return column.type.python_type
    except NotImplementedError:
        return object
