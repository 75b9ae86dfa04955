"""The inventory of data covers every leaf, and the rules of retention cannot differ from it."""

from datetime import datetime
from typing import Annotated, Any, ClassVar

import pytest
from msgspec import Struct
from pydantic import BaseModel, JsonValue
from sqlalchemy import Column, MetaData, Table, Text

from libs.common.fields import Count, DataClass, Email, Meaning, SealedEmail, Word, plain
from libs.common.inventory import NotInInventory, columns_of, leaves_of, places_of
from libs.common.messages import Event
from libs.common.purposes import LEGAL_BASES, Basis, Kept, Purpose, Subject
from libs.common.retention import Retention
from libs.common.tables import column
from services.audit.inventory import inventory as shipped
from tools import inventory
from tools.docs.inventory import inventory_file

PERSONAL = frozenset(set(DataClass) - {DataClass.NONE})


class Inner(BaseModel):
    word: Word
    note: str


class Packed(Struct):
    word: Word
    note: str


@pytest.mark.parametrize(
    ("bare", "path"),
    [
        (str, "field"), (dict, "field"), (datetime, "field"), (Any, "field"), (JsonValue, "field"),
        (str | None, "field"), (list[str], "field[]"), (list[list[str]], "field[][]"),
        (dict[Word, str], "field{}"), (dict[str, Word], "field{key}"), (Word | str, "field"),
        (tuple[Word, str], "field[]"), (Inner, "field.note"), (list[Inner | None], "field[].note"),
        (dict[Word, list[Inner]], "field{}[].note"),
        (Annotated[list[str], "said nothing"], "field[]"),
    ],
    ids=str,
)  # fmt: skip
def test_a_leaf_that_says_nothing_is_named_wherever_it_hides(bare: Any, path: str) -> None:
    model = type("Asked", (BaseModel,), {"__annotations__": {"good": Word, "field": bare}})
    with pytest.raises(NotInInventory) as refused:
        leaves_of(model)
    assert str(refused.value).startswith(f"Asked.{path}: ")


def test_what_goes_over_the_queue_of_work_is_looked_at_too() -> None:
    with pytest.raises(NotInInventory, match=r"^Packed\.note: "):
        leaves_of(Packed)


@pytest.mark.parametrize(
    ("made", "named"),
    [
        (Column("note", Text), "people.note"),
        (Column("note", Text, info={"field": str}), "people.note"),
        (column("labels", dict[Word, Any] | Word), "people.labels{}"),
        (column("rows", list[Word | str]), "people.rows[]"),
    ],
    ids=str,
)
def test_a_column_that_does_not_say_all_of_itself_is_named(made: Column[Any], named: str) -> None:
    table = Table("people", MetaData(), column("id", Word), made)
    with pytest.raises(NotInInventory) as refused:
        columns_of(table)
    assert str(refused.value).startswith(named)


def test_every_leaf_is_found_with_its_own_meaning() -> None:
    class Both(BaseModel):
        pairs: dict[Word, list[SealedEmail]]
        kind: Word | Count
        itself: "list[Both] | None" = None

    found = [(leaf.path, leaf.meaning.category) for leaf in leaves_of(Both)]
    assert found == [
        ("pairs{key}", "word"), ("pairs{}[]", "e-mail address"), ("kind", "word"),
        ("kind", "count"),
    ]  # fmt: skip


def test_purpose_basis_and_retention_have_no_default() -> None:
    with pytest.raises(TypeError, match=r"purpose.*basis.*retention"):
        Meaning(DataClass.NONE, "word", Subject.NOBODY)  # pyright: ignore[reportCallIssue] - that is the point


# -- records and rules -----------------------------------------------------------------------------


class Noted(Event):
    type: ClassVar[str] = "books.event.noted"
    word: Word


def rule(name: str, **records: Any) -> Retention:
    return Retention(name, 3, "notes", Purpose.BILLING, Basis.CONTRACT, **records)


def books(*rules: Retention, field: Any = Word) -> list[Any]:
    table = Table("notes", MetaData(), column("word", field))
    return places_of("books", rules, [table], [Noted])


def test_a_leaf_takes_purpose_basis_and_retention_of_its_records_rule() -> None:
    places = books(rule("notes", tables=("notes",), events=("noted",)))
    assert [(p.kind, p.name, p.rule, p.keep_days) for p in places] == [
        ("table", "notes", "books.notes", 3), ("event", "books.event.noted", "books.notes", 3),
    ]  # fmt: skip
    meaning = places[0].leaves[0].meaning
    assert (meaning.purpose, meaning.basis) == (Purpose.BILLING, Basis.CONTRACT)
    assert meaning.retention == "books.notes"


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([rule("notes", tables=("notes",))], "no rule of retention is about the event noted"),
        ([rule("notes", events=("noted",))], "no rule of retention is about the table notes"),
        ([rule("a", tables=("notes",), events=("noted",)), rule("b", tables=("notes",))],
         "two rules about the table notes"),
        ([rule("a", tables=("notes", "gone"), events=("noted",))], "not there: books: table gone"),
    ],
)  # fmt: skip
def test_every_record_has_one_rule_and_every_rule_its_records(
    rules: list[Retention], said: str
) -> None:
    with pytest.raises(NotInInventory, match=said):
        books(*rules)


def test_what_may_never_be_stored_as_it_is_stands_in_no_record() -> None:
    with pytest.raises(NotInInventory, match=r"e-mail address.*never be stored"):
        books(rule("notes", tables=("notes",), events=("noted",)), field=Email)


# -- what there is ---------------------------------------------------------------------------------


def every_leaf() -> list[tuple[str, Meaning]]:
    return [
        (f"{place.name}.{leaf.path}", leaf.meaning)
        for place in inventory.places()
        for leaf in place.leaves
    ]


def test_no_personal_value_is_without_one_of_the_four_legal_bases() -> None:
    leaves = every_leaf()
    assert [name for name, m in leaves if m.basis not in LEGAL_BASES] == []
    assert sum(m.data_class in PERSONAL for _, m in leaves) > 300


def test_every_value_has_a_purpose_and_a_rule_that_exists() -> None:
    rules = {
        f"{service}.{one.name}" for service, own in inventory.rules().items() for one in own
    } | {place.rule for place in inventory.places()}
    vague = [
        name
        for name, m in every_leaf()
        if m.purpose is Purpose.ITS_RECORD or m.retention not in rules
    ]
    assert vague == []


def test_every_rule_is_used_and_every_retention_that_a_type_names_is_a_rule() -> None:
    used = {meaning.retention for _, meaning in every_leaf()}
    used |= {place.rule for place in inventory.places()}  # of events without data of their own
    rules = {f"{service}.{one.name}" for service, own in inventory.rules().items() for one in own}
    assert rules - used == set()
    named = {kept.value for kept in Kept if "." in kept.value}
    assert named <= rules


def test_a_personal_value_says_whom_it_is_about() -> None:
    said_to_be_nobody = {
        name for name, m in every_leaf() if m.data_class in PERSONAL and m.subject is Subject.NOBODY
    }
    assert said_to_be_nobody == {
        f"{folder}/{name}.key"
        for folder in ("keys", "keys-second")
        for name in ("audit-days", "audit-holds")
    }


def test_the_service_ships_the_inventory_of_this_very_code() -> None:
    places = inventory.places()
    assert [place.name for place in shipped().places] == [place.name for place in places]
    assert sum(len(p.leaves) for p in shipped().places) == sum(len(p.leaves) for p in places)
    assert inventory_file().count('{"path": ') == len(every_leaf())


def test_streams_and_key_files_stand_in_it_too() -> None:
    kept = {(p.kind, p.name) for p in inventory.places() if p.kind in ("stream", "file")}
    assert {("stream", "WORK"), ("stream", "EXECUTOR"), ("file", "keys/keys.db")} <= kept


def test_a_plain_word_says_nothing_about_anybody() -> None:
    assert plain("word").subject is Subject.NOBODY
