"""Pieces of Markdown: a page with its origin, and tables."""

from collections.abc import Iterable, Sequence

NOTE = "<!-- Made from the code by `make docs`; a change here is lost. -->"


def page(title: str, *parts: str) -> str:
    return "\n\n".join((NOTE, f"# {title}", *(part.strip() for part in parts if part))) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def first_sentence(doc: str | None) -> str:
    """The sentence that a docstring begins with; nothing where pydantic's own would show."""
    text = " ".join((doc or "").split())
    return text.partition(". ")[0].rstrip(".")
