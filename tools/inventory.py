"""What the code says about itself: services, events, asks, tables, rules, settings, refusals."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from sqlalchemy import Table

import libs
import services
from libs.common import lifecycle, log_tables
from libs.common.errors import DomainError
from libs.common.fields import DataClass, in_record, plain
from libs.common.inventory import Leaf, Place, columns_of, leaves_of, places_of
from libs.common.messages import ASKS, EVENTS, Ask, Event, Message
from libs.common.migrate import Schema
from libs.common.purposes import Subject
from libs.common.retention import Retention
from libs.common.settings import Settings
from services.executor import work
from services.identity import keystore

ROOT = Path(__file__).resolve().parent.parent
K = TypeVar("K", bound=type)
DAY_KEY = [
    Leaf("day", plain("day, counted from 1970-01-01")),
    Leaf("key", in_record(DataClass.SECRET, "key of the oldest kept day", Subject.NOBODY)),
]

CASE_KEY = [
    Leaf("day", plain("day on which the case expires, counted from 1970-01-01")),
    Leaf("key", in_record(DataClass.SECRET, "key of a legal hold", Subject.NOBODY)),
]


def service_names() -> list[str]:
    return sorted(m.name for m in pkgutil.iter_modules(services.__path__) if m.ispkg)


def import_everything() -> list[ModuleType]:
    """Every module of `libs` and `services`; the main functions of processes are left alone."""
    found: list[ModuleType] = []
    for package in (libs, services):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith(("__main__", ".testing")):
                found.append(importlib.import_module(module.name))
    return found


def ours(thing: type) -> bool:
    """Not a class that a test has made."""
    return thing.__module__.partition(".")[0] in ("libs", "services")


def subclasses(kind: K) -> Iterator[K]:
    """All classes below one, those of generic models' parameters left out."""
    for below in kind.__subclasses__():
        yield from subclasses(below)
        if ours(below) and "[" not in below.__name__:
            yield below


def schemas() -> dict[str, Schema]:
    """What each service keeps in its database; a service without one is left out."""
    found: dict[str, Schema] = {}
    for name in service_names():
        schema = getattr(importlib.import_module(f"services.{name}.app"), "SCHEMA", None)
        if schema is not None:
            found[name] = schema
    return found


def tables() -> list[tuple[str, Table]]:
    return [(name, table) for name, s in schemas().items() for table in s.metadata.sorted_tables]


def events() -> list[type[Event]]:
    """Every event class, each service's own lifecycle among them, by type."""
    import_everything()
    made = {kind.type: kind for kind in EVENTS.values() if ours(kind)}
    for name, schema in schemas().items():
        if schema.has_log:
            made |= {kind.type: kind for kind in vars(lifecycle.of(name)).values()}
    return [made[name] for name in sorted(made)]


def asks() -> list[type[Ask]]:
    import_everything()
    return [ASKS[name] for name in sorted(ASKS) if ours(ASKS[name])]


def messages() -> list[type[Message]]:
    """Every model that crosses the bus or stands in a log, as parts and answers do too."""
    import_everything()
    return sorted(set(subclasses(Message)), key=_place)


def errors() -> list[type[DomainError]]:
    import_everything()
    return sorted(set(subclasses(DomainError)), key=lambda e: (e.code, _place(e)))


def rules() -> dict[str, tuple[Retention, ...]]:
    found: dict[str, tuple[Retention, ...]] = {}
    for name in service_names():
        if (ROOT / "services" / name / "retention.py").exists():
            found[name] = importlib.import_module(f"services.{name}.retention").RULES
    return found


def places() -> list[Place]:
    """The whole inventory of data: tables, events, streams and files of all services."""
    known, found = schemas(), []
    kinds, kept = events(), rules()
    for name, schema in known.items():
        found += places_of(
            name, kept.get(name, ()), schema.metadata.sorted_tables,
            [kind for kind in kinds if kind.type.startswith(f"{name}.event.")],
            own_log=log_tables.TABLES if schema.has_log else (), streams=_streams(name),
            files=_files(name),
        )  # fmt: skip
    return found


def _streams(service: str) -> list[tuple[str, str, list[Leaf]]]:
    """Streams besides that of the log: name, subjects, what a message holds."""
    if service != "executor":
        return []
    return [(work.STREAM, "executor.work.>", leaves_of(work.Start))]


def _files(service: str) -> list[tuple[str, list[Leaf]]]:
    """Files of keys, by their place in the data folder where no setting says another."""
    if service == "identity":
        return [("keys/keys.db", columns_of(keystore.data_keys))]
    if service == "audit":
        places, files = ("keys", "keys-second"), {"audit-days": DAY_KEY, "audit-holds": CASE_KEY}
        return [(f"{place}/{name}", leaves) for place in places for name, leaves in files.items()]
    return []


def settings() -> list[type[Settings]]:
    import_everything()
    return [Settings, *sorted(set(subclasses(Settings)), key=_place)]


def _place(kind: type) -> tuple[str, str]:
    return kind.__module__, kind.__qualname__
