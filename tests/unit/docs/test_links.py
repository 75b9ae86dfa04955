"""What the documentation points to is there."""

import re
from pathlib import Path

import pytest

from tools.inventory import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
NAMED = re.compile(
    r"`((?:services|libs|cli|tools|tests|deploy|docs)/[\w./-]+\.(?:py|sql|md|json|conf))`"
)
DECISION = re.compile(r"(\d{4})-[a-z0-9-]+\.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_named_files_lead_somewhere(page: Path):
    text = page.read_text()
    links = [link for link in LINK.findall(text) if "://" not in link]

    assert [link for link in links if not (page.parent / link).exists()] == []
    named = [name for name in NAMED.findall(text) if "NNNN" not in name]
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_decisions_are_numbered_and_say_all_four_things():
    files = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [int(match[1]) for file in files if (match := DECISION.fullmatch(file.name))]

    assert numbers == list(range(1, len(files) + 1))
    for file in files:
        text = file.read_text()
        assert text.startswith(f"# {file.name[:4]} · "), file.name
        parts = ("**Context.**", "**Decision.**", "**Consequences.**", "**Rejected.**")
        assert [part for part in parts if part not in text] == [], file.name
        assert len(text.splitlines()) <= 40, file.name
