"""Golden files: one per event type and version, which has to be read for ever.

`python -m tools.golden` writes those that are missing. It never changes one: a version that was
released stays as it is, so a change needs `version=` raised and an `@upcast` from the old one.
"""

import json
import sys
from pathlib import Path
from typing import Any

from libs.common.messages import Event
from tools import inventory
from tools.docs.types import fields_of
from tools.examples import example

FOLDER = inventory.ROOT / "tests" / "golden"
PROSE = ("description", "title")


def golden(kind: type[Event]) -> dict[str, Any]:
    """What the golden file of the present version holds."""
    data = kind.model_validate(example(kind)).model_dump(mode="json")
    return {
        "type": kind.type,
        "version": kind.version,
        "schema": _plain(kind.model_json_schema(mode="serialization")),
        "classes": dict(sorted(_classes(kind).items())),
        "data": data,
    }


def path_of(kind: type[Event], folder: Path = FOLDER) -> Path:
    return folder / f"{kind.type}.v{kind.version}.json"


def problems(kinds: list[type[Event]], folder: Path = FOLDER) -> list[str]:
    """What is wrong, in words that say what to do."""
    found: list[str] = []
    for kind in kinds:
        path = path_of(kind, folder)
        if not path.exists():
            found.append(f"{kind.type} version {kind.version} has no golden file: make golden")
            continue
        kept = json.loads(path.read_text())
        changed = [part for part in ("schema", "classes") if kept[part] != golden(kind)[part]]
        if changed:
            found.append(
                f"{kind.type} version {kind.version} was changed ({', '.join(changed)}): an event"
                " is read for ever, so raise `version=` and add an @upcast from the old one"
                f" (never released? then delete tests/golden/{path.name}), and: make golden"
            )
    return found


def write_missing(kinds: list[type[Event]], folder: Path = FOLDER) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for kind in kinds:
        path = path_of(kind, folder)
        if not path.exists():
            path.write_text(json.dumps(golden(kind), indent=1, ensure_ascii=False) + "\n")
            written.append(path)
    return written


def _plain(schema: Any) -> Any:
    """The schema without prose: rewording a docstring changes no event."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {key: _plain(value) for key, value in part.items()}
        if name in ("properties", "$defs") and isinstance(part, dict)
        else _plain(part)
        for name, part in schema.items()
        if name not in PROSE
    }


def _classes(kind: type[Event]) -> dict[str, str]:
    """The data class of each field, also of those inside parts: sealing is part of the promise."""
    return {
        name: meaning.data_class + (", sealed" if meaning.sealed else "")
        for name, _, meaning in fields_of(kind)
    }


def main() -> int:
    kinds = inventory.events()
    for path in write_missing(kinds):
        print(f"wrote {path.relative_to(inventory.ROOT)}")
    found = problems(kinds)
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
