"""Lists are walked by (moment, id): nothing twice, nothing missing, and no made-up cursor."""

import base64
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Select, Table, Text, create_engine, insert, select
from sqlalchemy.dialects.postgresql import TIMESTAMP

from libs.common.errors import Malformed
from libs.common.pages import PageQuery, page_in_memory, page_of, seek

Order = Literal["desc", "asc"]
THINGS = Table(
    "things", MetaData(), Column("at", Integer, nullable=False), Column("id", Text, unique=True)
)
DATED = Table("dated", MetaData(), Column("at", TIMESTAMP(timezone=True)), Column("id", Text))


def _place(row: Any) -> tuple[Any, Any]:
    return row[0], row[1]


def _walk(moments: list[int], limit: int, order: Order) -> list[tuple[int, str]]:
    engine = create_engine("sqlite://")
    THINGS.metadata.create_all(engine)
    seen: list[tuple[int, str]] = []
    with engine.begin() as connection:
        for i, at in enumerate(moments):
            connection.execute(insert(THINGS).values(at=at, id=f"{i:03}"))
        query: PageQuery | None = PageQuery(limit=limit, order=order)
        while query is not None:
            found = connection.execute(seek(select(THINGS), query, THINGS.c.at, THINGS.c.id)).all()
            page = page_of(found, query, _place, [(r.at, r.id) for r in found])
            assert len(page.data) <= limit
            seen += page.data
            query = query.model_copy(update={"after": page.next}) if page.next else None
    engine.dispose()
    return seen


@given(
    st.lists(st.integers(0, 3), max_size=14), st.integers(1, 5), st.sampled_from(["desc", "asc"])
)
def test_every_row_is_shown_once_and_in_order_also_when_moments_are_equal(
    moments: list[int], limit: int, order: Order
) -> None:
    seen = _walk(moments, limit, order)
    everything = sorted(((at, f"{i:03}") for i, at in enumerate(moments)), reverse=order == "desc")
    assert seen == everything


def test_the_last_page_has_no_next_even_when_it_is_full() -> None:
    query = PageQuery(limit=2)
    assert page_of([(2, "b"), (1, "a")], query, _place).next is None
    assert page_of([(3, "c"), (2, "b"), (1, "a")], query, _place).next is not None
    assert page_of([], query, _place).data == []


@given(
    st.lists(st.integers(0, 3), max_size=12), st.integers(1, 5), st.sampled_from(["desc", "asc"])
)
def test_a_list_in_memory_is_walked_the_same_way(
    moments: list[int], limit: int, order: Order
) -> None:
    items = [(at, f"{i:03}") for i, at in enumerate(moments)]
    seen: list[tuple[int, str]] = []
    after: str | None = None
    while True:
        page = page_in_memory(items, PageQuery(limit=limit, order=order, after=after), _place)
        seen += page.data
        if (after := page.next) is None:
            break
    assert seen == _walk(moments, limit, order)


def test_a_moment_in_a_cursor_keeps_its_microseconds_and_zone() -> None:
    first = datetime(2026, 1, 1, 0, 0, 0, 2, UTC)
    rows = [(first, "b"), (first.replace(microsecond=1), "a")]
    page = page_in_memory(rows, PageQuery(limit=1), _place)
    assert page_in_memory(rows, PageQuery(limit=1, after=page.next), _place).data == rows[1:]


def _cursor(value: Any) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode()


GARBAGE = [
    "", "x", "!!!!", "ü", base64.urlsafe_b64encode(b"\xff\xfe").decode(), _cursor(5), _cursor(None),
    _cursor({"t": "2026-01-01"}), _cursor({}), _cursor([]), _cursor([1]), _cursor([1, "a", 2]),
    _cursor([[1], "a"]), _cursor([{"t": "yesterday"}, "a"]), _cursor([{}, "a"]),
    _cursor(["word", "a"]), _cursor([None, "a"]), _cursor([1, 2]), _cursor([1.5, "a"]),
    _cursor([True, "a"]), _cursor([2**70, "a"]), _cursor([1, "a\x00"]), _cursor("ab"),
]  # fmt: skip


@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_cursor_that_we_did_not_make_is_refused(garbage: str) -> None:
    query = PageQuery(after=garbage)
    with pytest.raises(Malformed):
        seek(select(THINGS), query, THINGS.c.at, THINGS.c.id)
    with pytest.raises(Malformed):
        page_in_memory([(1, "a")], query, _place)


def test_a_number_where_a_moment_belongs_is_refused() -> None:
    with pytest.raises(Malformed):
        seek(select(DATED), PageQuery(after=_cursor([1, "a"])), DATED.c.at, DATED.c.id)
    good = PageQuery(after=_cursor([{"t": "2026-01-01T00:00:00+00:00"}, "a"]))
    assert isinstance(seek(select(DATED), good, DATED.c.at, DATED.c.id), Select)


@pytest.mark.parametrize("limit", [0, -1, 201])
def test_a_page_has_1_to_200_rows(limit: int) -> None:
    with pytest.raises(ValueError):
        PageQuery(limit=limit)
