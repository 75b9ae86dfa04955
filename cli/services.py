"""Services by name: what each keeps in its database, how it is built; imports only those named."""

import importlib
import typing
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cli.permissions import SERVICES

if TYPE_CHECKING:  # whoever serves the gateway has no database
    from libs.common.migrate import Schema
    from libs.common.service import Service
    from libs.common.settings import Settings


def check_names(names: Sequence[str]) -> None:
    """Refuses a name that is no service."""
    unknown = [name for name in names if name not in SERVICES]
    if unknown:
        raise click.UsageError(f"no service {unknown[0]!r}; there are {', '.join(SERVICES)}")


def schemas() -> "list[Schema]":
    """What every service that has a database keeps there."""
    found = [getattr(_app(name), "SCHEMA", None) for name in SERVICES]
    return [schema for schema in found if schema is not None]


def readers_of(schema: "Schema") -> list[tuple[str, str]]:
    """Name and producer of each of its readers."""
    return [(p.name, p.producer or schema.service) for p in schema.projections]


def build(name: str) -> "tuple[Service, Settings]":
    """One service with its own settings, whose class stands in the signature of its `build`."""
    function = _app(name).build
    settings = typing.get_type_hints(function)["settings"]()
    return function(settings), settings


def _app(name: str) -> Any:
    return importlib.import_module(f"services.{name}.app")
