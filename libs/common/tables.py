"""Tables whose columns say what they hold: a column's SQL type follows from its field type."""

from datetime import datetime
from typing import Any, Literal, get_args, get_origin
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
)  # fmt: skip
from sqlalchemy.dialects.postgresql import JSON, TIMESTAMP

from libs.common.fields import meaning_of


def column(name: str, field: Any, **options: Any) -> Column[Any]:
    """A column of a field type (`WorkflowId`, `Moment`, `SealedText | None` …).

    The type decides SQL type, nullability and data class; a bare type is a TypeError.
    """
    meaning = meaning_of(field)
    if meaning is None:
        raise TypeError(f"column {name}: {field} says nothing about its data class")
    base, optional = _base(field)
    sql: Any = {
        str: Text, int: BigInteger, float: Double, bool: Boolean, bytes: LargeBinary, UUID: Uuid,
    }.get(base)  # fmt: skip
    if base is datetime:
        sql = TIMESTAMP(timezone=True)
    elif sql is None:
        sql = JSON
    options.setdefault("nullable", optional)
    return Column(name, sql, info={"meaning": meaning, "field": field}, **options)


def moment_now(name: str, field: Any) -> Column[Any]:
    return column(name, field, server_default=func.wall_clock())


def _base(field: Any) -> tuple[Any, bool]:
    """The Python type below annotations, and whether None may stand there."""
    if hasattr(field, "__metadata__"):
        return _base(get_args(field)[0])
    arguments = get_args(field)
    if get_origin(field) is Literal:
        return str, False
    if type(None) in arguments:
        return _base(next(a for a in arguments if a is not type(None)))[0], True
    if isinstance(field, type) and issubclass(field, str):
        return str, False
    return get_origin(field) or field, False


def tables_of(metadata: MetaData) -> list[Table]:
    return list(metadata.sorted_tables)
