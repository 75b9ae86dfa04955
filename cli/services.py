"""Services by name: what each keeps in its database, and how it is built. Imports only those named."""

import importlib
import typing
from collections.abc import Sequence
from typing import Any

import click

from cli.permissions import SERVICES, Durable
from libs.common.migrate import Schema
from libs.common.service import Service
from libs.common.settings import Settings


def check_names(names: Sequence[str]) -> None:
    """Refuses a name that is no service."""
    unknown = [name for name in names if name not in SERVICES]
    if unknown:
        raise click.UsageError(f"no service {unknown[0]!r}; there are {', '.join(SERVICES)}")


def schemas() -> list[Schema]:
    """What every service that has a database keeps there."""
    found = [getattr(_app(name), "SCHEMA", None) for name in SERVICES]
    return [schema for schema in found if schema is not None]


def durables_of(schema: Schema) -> list[Durable]:
    """The consumers by which its inboxes read (named as libs/common/service.py names them)."""
    return [
        (p.producer.upper(), f"{schema.service}-{p.name.replace('_', '-')}")
        for p in schema.projections
        if p.producer not in (None, schema.service)
    ]


def build(name: str) -> tuple[Service, Settings]:
    """One service with its own settings, whose class stands in the signature of its `build`."""
    function = _app(name).build
    settings: Settings = typing.get_type_hints(function)["settings"]()
    return function(settings), settings


def _app(name: str) -> Any:
    return importlib.import_module(f"services.{name}.app")
