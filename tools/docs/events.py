"""docs/events.md: every event with what its fields are about."""

from libs.common.messages import Event
from libs.common.streams import subject_of
from services.audit.domain import category_of
from services.audit.promised import promised_of
from tools import inventory
from tools.docs.markdown import code, first_sentence, page, table
from tools.docs.types import fields_of

INTRODUCTION = """
Every fact that a service records, with the class of each field, what it is for, on which legal
basis it is processed, and how long it is kept. All of that follows from the field's type
(`libs/common/fields.py`). *Sealed* means that only ciphertext is stored and sent; sealed fields
are left out of what customers see of public events. Events travel as CloudEvents 1.0 in JSON
batches; the envelope has the organization, the actor, the stream and the version in it.

In the trail each type has a category, by which it is searched. It belongs to one of the six that
are promised: authentication, API usage, workflow execution, integration activity, errors and
administrative access. Whatever failed counts among the errors too (`outcome=failure`).
"""
HEAD = ("field", "type", "class", "category", "purpose", "basis", "kept", "about")


def events_page() -> str:
    kinds = inventory.events()
    producers = sorted({kind.type.partition(".")[0] for kind in kinds})
    parts = [INTRODUCTION, _overview(kinds)]
    for producer in producers:
        parts.append(f"## {producer}")
        parts.append(f"JetStream stream `{producer.upper()}`, subject `{subject_of(producer)}`.")
        parts += [_event(k) for k in kinds if k.type.startswith(f"{producer}.")]
    return page("Events", *parts)


def _overview(kinds: list[type[Event]]) -> str:
    rows = [
        (code(kind.type), str(kind.version), "public" if kind.public else "",
         category_of(kind.type), promised_of(kind.type), _says(kind))
        for kind in kinds
    ]  # fmt: skip
    head = ("type", "version", "to customers", "in the trail", "of the six", "says")
    return table(head, rows)


def _event(kind: type[Event]) -> str:
    rows = [
        (code(name), called, meaning.data_class + (", **sealed**" if meaning.sealed else ""),
         meaning.category, meaning.purpose, meaning.basis, meaning.retention, meaning.subject)
        for name, called, meaning in fields_of(kind)
    ]  # fmt: skip
    title = f"### `{kind.type}`, version {kind.version}{', public' if kind.public else ''}"
    shown = table(HEAD, rows) if rows else "No data: the envelope says it all."
    return "\n\n".join(part for part in (title, _says(kind), shown) if part)


def _says(kind: type[Event]) -> str:
    own = kind.__doc__ if kind.__doc__ != Event.__doc__ else None
    return first_sentence(own or next((b.__doc__ for b in kind.__bases__ if b is not Event), ""))
