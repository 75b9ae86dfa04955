"""`workflow`: a step that is another workflow, awaited or left to itself."""

import re
from typing import Literal

from libs.language.check_context import Fields, Made, Scope
from libs.language.check_shapes import Keys
from libs.language.check_values import value_at
from libs.language.source import pointer_of
from libs.language.steps import WorkflowStep

WORKFLOW_KEYS = ("workflow", "version", "with", "detached")
WORKFLOW_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
VERSION_MAX = 1_000_000
Version = int | Literal["latest"] | None


def workflow_step(
    fields: Fields, step_id: str, title: str | None, scope: Scope, depth: int
) -> Made:
    """`workflow: name, version: 7 | latest, with: {…}, detached: true`.

    Whether there is such a workflow is asked where documents are published.
    """
    fields.only(("id", "title", *WORKFLOW_KEYS))
    form = "a workflow's name: a to z, 0 to 9 and -, beginning with a letter"
    name = fields.matching("workflow", WORKFLOW_NAME, "bad-name", form)
    version = version_at(fields)
    with_ = value_at(fields, "with", scope) if "with" in fields else None
    detached = fields.boolean("detached")
    shape = Keys({"execution": None}) if detached else None
    if name is None:
        return Made(None, shape)
    fields.context.callees[name] = None
    pointer = pointer_of(fields.path)
    return Made(WorkflowStep(step_id, title, pointer, name, version, with_, detached), shape)


def version_at(fields: Fields) -> Version:
    """A number, `latest`, or None: the one that was published when this one was."""
    value = fields.value.get("version")
    if isinstance(value, str):
        found = fields.one_of("version", ("latest",))
        return "latest" if found == "latest" else None
    return fields.integer("version", 1, VERSION_MAX)
