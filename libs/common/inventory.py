"""The inventory of data: every leaf of every record with what it is about; no database is needed.

A leaf's own field type says what it is; where the type says "that of its record", the rule of
retention of the record decides. What is resolved says nothing of the kind any more.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from msgspec import Struct
from pydantic import BaseModel
from sqlalchemy import Table

from libs.common.fields import ONE_OF_A_LIST, Meaning
from libs.common.grants import OPENS
from libs.common.log_tables import log
from libs.common.messages import Event
from libs.common.purposes import Basis, Kept, Purpose
from libs.common.retention import OF_EVERY_LOG, Retention

Kind = Literal["table", "event", "stream", "file"]


class NotInInventory(Exception):
    """A record without a rule, a rule without its record, or a leaf that says nothing."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value: `path` is a column, or the way into an event (`trigger.kind`, `items[].name`)."""

    path: str
    meaning: Meaning


@dataclass(frozen=True, slots=True)
class Place:
    """A record that is kept somewhere, with all its leaves; the rule is `<service>.<name>`."""

    service: str
    kind: Kind
    name: str
    rule: str
    what: str
    keep_days: int | None
    leaves: tuple[Leaf, ...]
    subjects: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    opened_by: tuple[str, ...] = ()


def leaves_of(model: type[BaseModel] | type[Struct]) -> list[Leaf]:
    """Every leaf of a model, through parts, lists, maps (`{}`, their keys `{key}`) and unions."""
    try:
        return list(dict.fromkeys(_leaves(model, "", ())))
    except NotInInventory as bare:
        raise NotInInventory(f"{model.__name__}.{bare}") from None


def _leaves(model: type[Any], at: str, above: tuple[type, ...]) -> Iterator[Leaf]:
    for name, annotation in _fields_of(model):
        yield from _of(annotation, f"{at}{name}", (*above, model))


def _fields_of(model: type[Any]) -> Iterator[tuple[str, Any]]:
    if not issubclass(model, BaseModel):
        yield from get_type_hints(model, include_extras=True).items()
        return
    for name, info in model.model_fields.items():
        annotation: Any = info.annotation
        for item in info.metadata:
            annotation = Annotated[annotation, item]
        yield name, annotation


def _of(annotation: Any, at: str, above: tuple[type, ...]) -> Iterator[Leaf]:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        own = next((part for part in parts[1:] if isinstance(part, Meaning)), None)
        if own is not None:
            yield Leaf(at, own)
        else:
            yield from _of(parts[0], at, above)
    elif origin is Literal or (isinstance(annotation, type) and issubclass(annotation, Enum)):
        yield Leaf(at, ONE_OF_A_LIST)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel | Struct):
        if annotation not in above:  # one that holds itself has no more kinds of leaves
            yield from _leaves(annotation, f"{at}.", above)
    elif origin is dict:
        yield from _of(parts[0], f"{at}{{key}}", above)
        yield from _of(parts[1], f"{at}{{}}", above)
    elif origin in (list, tuple, set, frozenset):
        for part in dict.fromkeys(part for part in parts if part is not Ellipsis):
            yield from _of(part, f"{at}[]", above)
    elif parts:
        for part in parts:
            if part is not type(None):
                yield from _of(part, at, above)
    else:
        raise NotInInventory(f"{at}: {annotation} says nothing about what it holds")


def columns_of(table: Table) -> list[Leaf]:
    """The columns of a table, of JSON with the parts of its own; a bare one is refused by name."""
    found: list[Leaf] = []
    for column in table.columns:
        kind, meaning = column.info.get("field"), column.info.get("meaning")
        if kind is not None and not isinstance(kind, type):
            found += _parts_of(table, column.name, kind)
        elif isinstance(meaning, Meaning):
            found.append(Leaf(column.name, meaning))
        else:
            raise NotInInventory(f"{table.name}.{column.name} says nothing about what it holds")
    return found


def _parts_of(table: Table, name: str, kind: Any) -> Iterable[Leaf]:
    try:
        return dict.fromkeys(_of(kind, name, ()))
    except NotInInventory as bare:
        raise NotInInventory(f"{table.name}.{bare}") from None


def resolved(leaf: Leaf, service: str, rule: Retention) -> Leaf:
    """The leaf with purpose, basis and retention of its own, or of the record's rule."""
    meaning = leaf.meaning
    if meaning.retention == Kept.NEVER:
        raise NotInInventory(f"{service}: {leaf.path} ({meaning.category}) may never be stored")
    if meaning.purpose is Purpose.ITS_RECORD:
        meaning = replace(meaning, purpose=rule.purpose)
    if meaning.basis is Basis.ITS_RECORD:
        meaning = replace(meaning, basis=rule.basis)
    if meaning.retention == Kept.ITS_RECORD:
        meaning = replace(meaning, retention=f"{service}.{rule.name}")
    return Leaf(leaf.path, meaning)


class Rules:
    """The rules of one service by the records that they are about; each record has one rule."""

    def __init__(self, service: str, rules: Iterable[Retention]) -> None:
        self.service = service
        self._by: dict[tuple[Kind, str], Retention] = {}
        self._used: set[tuple[Kind, str]] = set()
        for rule in rules:
            records: dict[Kind, tuple[str, ...]] = {
                "table": rule.tables, "event": rule.events, "stream": rule.streams,
                "file": rule.files,
            }  # fmt: skip
            for kind, names in records.items():
                for name in names:
                    if (kind, name) in self._by:
                        raise NotInInventory(f"{service}: two rules about the {kind} {name}")
                    self._by[kind, name] = rule

    def place(
        self, kind: Kind, name: str, leaves: Iterable[Leaf], *, called: str | None = None,
        subjects: tuple[str, ...] = (),
    ) -> Place:  # fmt: skip
        rule = self._by.get((kind, name))
        if rule is None:
            raise NotInInventory(f"{self.service}: no rule of retention is about the {kind} {name}")
        self._used.add((kind, name))
        own = tuple(resolved(leaf, self.service, rule) for leaf in leaves)
        sealed = any(leaf.meaning.sealed for leaf in own)
        if sealed and not rule.keys:
            raise NotInInventory(f"{self.service}: no key is named for what {name} holds sealed")
        full = f"{self.service}.{rule.name}"
        return Place(
            self.service, kind, called or name, full, rule.what, rule.keep_days, own, subjects,
            rule.keys if sealed else (), who_opens(self.service, full) if sealed else (),
        )  # fmt: skip

    def unused(self) -> list[str]:
        """Records that a rule names and that are not there."""
        return sorted(f"{self.service}: {k} {n}" for k, n in set(self._by) - self._used)


def who_opens(service: str, rule: str) -> tuple[str, ...]:
    """The services that open what is sealed by a rule: its own, and whom `OPENS` lets."""
    return tuple(sorted({service} | {name for name, rules in OPENS.items() if rule in rules}))


def places_of(
    service: str, rules: Iterable[Retention], tables: Iterable[Table],
    events: Iterable[type[Event]], *, streams: Iterable[tuple[str, str, list[Leaf]]] = (),
    files: Iterable[tuple[str, list[Leaf]]] = (), own_log: Iterable[Table] = (),
) -> list[Place]:  # fmt: skip
    """All places of one service. Raises NotInInventory for what no rule is about, and for a rule
    about what is not there."""
    of_log = list(own_log)
    by = Rules(service, (*rules, *(OF_EVERY_LOG if of_log else ())))
    found = [by.place("table", t.name, columns_of(t)) for t in (*tables, *of_log)]
    found += [
        by.place("event", kind.type.rpartition(".")[2], leaves_of(kind), called=kind.type)
        for kind in events
    ]
    if of_log:
        subjects = (f"{service}.event.>",)
        found.append(
            by.place("stream", "events", columns_of(log), called=service.upper(), subjects=subjects)
        )
    found += [by.place("stream", n, leaves, subjects=(s,)) for n, s, leaves in streams]
    found += [by.place("file", name, leaves) for name, leaves in files]
    if unused := by.unused():
        raise NotInInventory(f"rules about what is not there: {', '.join(unused)}")
    return found
