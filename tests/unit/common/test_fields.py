"""Every field says what it holds; a bare str, dict or Any is found wherever it hides."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, JsonValue, TypeAdapter

from libs.common import fields
from libs.common.fields import Count, DataClass, Moment, Word, bare_fields, meaning_of


class Inner(BaseModel):
    text: str


class Good(BaseModel):
    word: Word
    maybe: Word | None
    many: list[Word]
    pairs: dict[Word, Count]
    kind: Literal["a", "b"]
    limited: Annotated[Count, Field(le=5)] = 1
    when: Moment | None = None
    inner: "list[Good] | None" = None


@pytest.mark.parametrize(
    "bare",
    [
        str, int, bool, dict, list, datetime, Any, JsonValue, str | None, list[str],
        list[str] | None, dict[str, Word], dict[Word, str], tuple[Word, str],
        Word | str, Literal["a"] | str, list[Word | str], Annotated[str, Field(max_length=5)],
        list[dict[Word, list[Any]]], Inner, Inner | None, list[Inner], dict[Word, Inner],
        list[Inner | None],
    ],
    ids=str,
)  # fmt: skip
def test_a_bare_type_is_found(bare: Any) -> None:
    model = type("Asked", (BaseModel,), {"__annotations__": {"field": bare}})
    found = bare_fields(model)
    assert len(found) == 1
    assert found[0].startswith("Asked.field")


def test_a_nested_bare_field_is_named_with_its_place() -> None:
    model = type("Asked", (BaseModel,), {"__annotations__": {"inner": list[Inner] | None}})
    assert bare_fields(model) == ["Asked.inner.Inner.text: <class 'str'>"]


def test_a_model_of_field_types_has_no_bare_field_also_when_it_holds_itself() -> None:
    assert bare_fields(Good) == []


def test_a_meaning_is_found_below_optional_and_list() -> None:
    for annotation in (fields.Email, fields.Email | None, list[fields.Email], list[fields.Email]):
        meaning = meaning_of(annotation)
        assert meaning is not None
        assert meaning.data_class is DataClass.DIRECT
    assert meaning_of(str | None) is None
    assert meaning_of(dict) is None


def test_a_password_is_a_secret_and_its_ciphertext_is_marked_as_sealed() -> None:
    password, sealed = meaning_of(fields.Password), meaning_of(fields.SealedSecret)
    assert password is not None
    assert sealed is not None
    assert (password.data_class, password.sealed) == (DataClass.SECRET, False)
    assert (sealed.data_class, sealed.sealed) == (DataClass.SECRET, True)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5, 999_999, UTC), "2026-01-02T03:04:05.999Z"),
        (datetime(2026, 1, 2, 3, 4, 5, 0, timezone(timedelta(hours=5))),
         "2026-01-01T22:04:05.000Z"),
    ],
)  # fmt: skip
def test_a_moment_is_shown_in_utc_with_milliseconds(moment: datetime, text: str) -> None:
    assert TypeAdapter(Moment).dump_json(moment) == f'"{text}"'.encode()
