"""docs/settings.md: every setting with its default, out of the classes that read it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from libs.common.settings import Settings
from tools import inventory
from tools.docs.markdown import code, page, table

INTRODUCTION = """
All settings are environment variables, read once when a process starts. `troth up` sets what the
processes need and keeps the secrets in the data folder; whoever runs the services otherwise sets
them. A required one that is missing stops the start.
"""
PASSWORDS = """
Each service connects as its own roles and its own NATS user. For every service (`IDENTITY`,
`WORKFLOWS` …): `TROTH_<SERVICE>_SYSTEM_PASSWORD`, `TROTH_<SERVICE>_READER_PASSWORD`,
`TROTH_<SERVICE>_NATS_PASSWORD`. Audit's signer has one more: `TROTH_AUDIT_SIGNER_PASSWORD`.
"""
NAME = re.compile(r"TROTH_[A-Z]+(_[A-Z]+)*")
HEAD = ("variable", "default", "limits")


def settings_page() -> str:
    parts: list[str] = [INTRODUCTION]
    shown: set[str] = set()
    for kind in inventory.settings():
        own = [
            (_variable(name, info), info)
            for name, info in kind.model_fields.items()
            if name not in _inherited(kind)
        ]
        shown |= {name for name, _ in own}
        parts += [_title(kind), " ".join((kind.__doc__ or "").split())]
        parts.append(table(HEAD, [(code(n), _default(i), _limits(i)) for n, i in own]))
    parts += ["## Passwords", PASSWORDS, "## Read elsewhere", _elsewhere(shown)]
    return page("Settings", *parts)


def _inherited(kind: type[Settings]) -> set[str]:
    above = [base for base in kind.__mro__[1:] if issubclass(base, Settings)]
    return {name for base in above for name in base.model_fields}


def _title(kind: type[Settings]) -> str:
    if kind is Settings:
        return "## All services"
    return "## " + kind.__module__.split(".")[1].capitalize()


def _variable(name: str, info: FieldInfo) -> str:
    return info.validation_alias if isinstance(info.validation_alias, str) else (
        f"TROTH_{name.upper()}"
    )  # fmt: skip


def _default(info: FieldInfo) -> str:
    if info.default is PydanticUndefined:
        return "**required**"
    if isinstance(info.default, SecretStr) or info.default is None or info.default == "":
        return "none"
    return code(str(info.default))


def _limits(info: FieldInfo) -> str:
    words: dict[str, str] = {"gt": "over", "ge": "from", "lt": "under", "le": "to"}
    said = [
        f"{word} {getattr(item, name)}"
        for item in info.metadata
        for name, word in words.items()
        if getattr(item, name, None) is not None
    ]
    choices: Any = getattr(info.annotation, "__args__", ())
    if choices and all(isinstance(choice, str) for choice in choices):
        said.append("one of " + ", ".join(choices))
    return ", ".join(said)


def _elsewhere(shown: set[str]) -> str:
    """Variables that the command line and the embedded servers read themselves."""
    found: dict[str, set[str]] = {}
    for folder in ("cli", "libs"):
        for file in sorted((inventory.ROOT / folder).rglob("*.py")):
            for name in _named(file):
                if name not in shown:
                    found.setdefault(name, set()).add(str(file.relative_to(inventory.ROOT)))
    rows = [(code(name), ", ".join(map(code, sorted(files)))) for name, files in found.items()]
    return table(("variable", "read in"), sorted(rows))


def _named(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, str) and NAME.fullmatch(value):
            yield value
