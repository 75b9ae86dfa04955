"""Every contract that exists speaks in field types, and what it names belongs to its service."""

import importlib
import pkgutil
from types import ModuleType

import pytest
from pydantic import BaseModel

import libs.common
import services
from libs.common.fields import bare_fields
from libs.common.messages import Ask, Event, Message


def _contracts() -> list[str]:
    names = [f"libs.common.{m.name}" for m in pkgutil.iter_modules(libs.common.__path__)]
    for service in pkgutil.iter_modules(services.__path__):
        root = importlib.import_module(f"services.{service.name}")
        for part in pkgutil.walk_packages(root.__path__, f"{root.__name__}."):
            if part.name.split(".")[2] in ("contract", "work"):
                names.append(part.name)
    return names


def _models(module: ModuleType) -> list[type[Message]]:
    return [
        m for m in vars(module).values()
        if isinstance(m, type) and issubclass(m, Message) and m.__module__ == module.__name__
    ]  # fmt: skip


@pytest.mark.parametrize("name", _contracts())
def test_a_contract_has_no_bare_field(name: str) -> None:
    module = importlib.import_module(name)
    base = {Message, Ask, Event}
    found = [bare for model in _models(module) if model not in base for bare in bare_fields(model)]
    assert [f for f in found if not f.endswith(".data: ~T")] == []


@pytest.mark.parametrize("name", [n for n in _contracts() if n.startswith("services.")])
def test_a_message_is_named_after_its_service_and_kind(name: str) -> None:
    service = name.split(".")[1]
    for model in _models(importlib.import_module(name)):
        said = getattr(model, "type", "")
        if said and issubclass(model, Ask | Event) and issubclass(model, BaseModel):
            assert said.startswith(f"{service}."), f"{model.__name__} is named {said}"
            assert said.split(".")[1] in ("command", "query", "event", "work")
