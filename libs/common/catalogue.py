"""What is really there: every service says, by name only, what its database and its log hold.

Asked at `<service>.query.find-catalogue`; read by `catalogue_reading.py`.
"""

from typing import Annotated

from pydantic import Field

from libs.common.fields import Count, plain
from libs.common.messages import Message, Query

PlaceName = Annotated[
    str, Field(max_length=300), plain("name of a table, column, stream or type of event")
]


class FindCatalogue(Query):
    """Names of tables and columns, and types of the events after a number, a stretch at a time."""

    after: Count


class TableFound(Message):
    name: PlaceName
    columns: list[PlaceName]


class CatalogueFound(Message):
    """`upto`: the types are those of the events up to this number; `head` is the last one."""

    tables: list[TableFound]
    types: list[PlaceName]
    upto: Count
    head: Count
    incarnation: Count
