"""Checks a document, and sees that the language's schema takes whatever the checker takes."""

import jsonschema_rs

from libs.language.check import HTTP_REQUEST, Checked, Known, check
from libs.language.check_editor_schema import workflow_schema
from libs.language.source import Media, read_document

KNOWN = Known(connectors={"http-request@1": HTTP_REQUEST})
LANGUAGE = jsonschema_rs.Draft202012Validator(workflow_schema(), offline=True)


def judged(text: str, known: Known = KNOWN, media: Media = "yaml") -> Checked:
    """What the checker says; what it accepts, the schema for editors accepts."""
    source = read_document(text, media)
    found = check(source, known=known)
    if found.document is not None:
        assert LANGUAGE.is_valid(source.value), [
            (each.instance_path, each.message) for each in LANGUAGE.iter_errors(source.value)
        ]
    return found


def rules(found: Checked) -> set[str]:
    """The rules that were broken."""
    return {problem.rule for problem in found.problems}


def warned(found: Checked) -> set[str]:
    """The rules of the warnings."""
    return {warning.rule for warning in found.warnings}
