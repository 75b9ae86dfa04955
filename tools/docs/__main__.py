"""`python -m tools.docs` writes the generated pages; `--check` fails when one is stale."""

import sys
from collections.abc import Callable
from pathlib import Path

from tools.docs.asyncapi import asyncapi_document
from tools.docs.events import events_page
from tools.docs.inventory import inventory_file, inventory_page
from tools.docs.language import language_page
from tools.docs.nats import nats_configuration
from tools.docs.openapi import openapi_document
from tools.docs.permissions import permissions_page
from tools.docs.privacy import privacy_page
from tools.docs.problems import problems_page
from tools.docs.retention import retention_page
from tools.docs.settings import settings_page
from tools.inventory import ROOT

PAGES: dict[str, Callable[[], str]] = {
    "events.md": events_page,
    "asyncapi.json": asyncapi_document,
    "openapi.json": openapi_document,
    "inventory.md": inventory_page,
    "../services/audit/inventory.json": inventory_file,
    "privacy-tables.md": privacy_page,
    "language.md": language_page,
    "permissions.md": permissions_page,
    "retention.md": retention_page,
    "settings.md": settings_page,
    "problems.md": problems_page,
    "../deploy/nats/nats.conf": nats_configuration,
}


def stale(folder: Path) -> list[str]:
    """Names of pages that are not, byte for byte, what the code says."""
    return [
        name
        for name, make in PAGES.items()
        if not (folder / name).exists() or (folder / name).read_bytes() != make().encode()
    ]


def main(arguments: list[str], folder: Path = ROOT / "docs") -> int:
    if arguments == ["--check"]:
        found = stale(folder)
        for name in found:
            print(f"docs/{name} is not what the code says: run `make docs`", file=sys.stderr)
        return 1 if found else 0
    if arguments:
        print("usage: python -m tools.docs [--check]", file=sys.stderr)
        return 2
    for name in stale(folder):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(PAGES[name]().encode())
        print(f"wrote docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
