"""A column's SQL type, nullability and data class follow from its field type."""

from datetime import datetime
from typing import Any, Literal

import pytest
from pydantic import JsonValue
from sqlalchemy import BigInteger, Boolean, Double, Text
from sqlalchemy.dialects.postgresql import JSON, TIMESTAMP

from libs.common import fields
from libs.common.fields import DataClass, Flag, Moment, Number, Seconds, Word
from libs.common.tables import column


@pytest.mark.parametrize(
    "bare", [str, int, bool, datetime, dict, list, Any, JsonValue, str | None, list[str],
             dict[str, Any]], ids=str,
)  # fmt: skip
def test_a_bare_type_makes_no_column(bare: Any) -> None:
    with pytest.raises(TypeError, match="data class"):
        column("value", bare)


@pytest.mark.parametrize(
    ("field", "kind", "nullable"),
    [
        (Word, Text, False), (Word | None, Text, True), (Number, BigInteger, False),
        (Number | None, BigInteger, True), (Seconds, Double, False), (Flag, Boolean, False),
        (Flag | None, Boolean, True), (Moment, TIMESTAMP, False), (Moment | None, TIMESTAMP, True),
        (list[Word], JSON, False), (list[Word] | None, JSON, True), (DataClass, Text, False),
        (Literal["a", "b"], Text, False), (Literal["a"] | None, Text, True),
        (fields.AnyJson, JSON, False),
    ],
)  # fmt: skip
def test_the_column_fits_its_field(field: Any, kind: type, nullable: bool) -> None:
    made = column("value", field)
    assert isinstance(made.type, kind)
    assert made.nullable is nullable
    assert made.info["field"] == field


def test_a_moment_is_stored_with_its_zone_and_the_meaning_goes_along() -> None:
    at, email = column("at", Moment), column("email", fields.SealedEmail | None)
    assert at.type.timezone  # pyright: ignore[reportAttributeAccessIssue] - of TIMESTAMP
    assert email.info["meaning"].data_class is DataClass.DIRECT
    assert email.info["meaning"].sealed


def test_nullability_can_be_said_otherwise() -> None:
    assert column("id", Word, primary_key=True).primary_key
    assert column("value", Word | None, nullable=False).nullable is False
