"""Labels of a document and the hosts that it may reach."""

import re
from collections.abc import Mapping

from libs.language.check_context import Fields

LABEL = re.compile(r"[a-z][a-z0-9_.-]{0,39}")
# A name, an IPv4 address or an IPv6 address in brackets; perhaps a port.
HOST = re.compile(
    r"(?=.{1,261}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
    r"|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?",
    re.IGNORECASE,
)
LABELS_MAX = 20
LABEL_CHARS_MAX = 100
EGRESS_MAX = 100


def labels_at(fields: Fields) -> Mapping[str, str]:
    """Literal labels."""
    inner = fields.inner("labels")
    if inner is None:
        return {}
    if len(inner.value) > LABELS_MAX:
        fields.report.problem(inner.path, "too-many", f"at most {LABELS_MAX} labels are allowed")
        return {}
    labels: dict[str, str] = {}
    for key in inner.value:
        if not LABEL.fullmatch(key):
            rule = "expression-in-key" if "${{" in key else "bad-name"
            detail = "a label's name is a to z, 0 to 9, _ . -, at most 40 characters"
            fields.report.problem(inner.at(key), rule, detail, of_key=True, found=key)
        text = inner.words(key, LABEL_CHARS_MAX)
        if text is not None:
            labels[key] = text
    return labels


def egress_at(fields: Fields) -> tuple[str, ...] | None:
    """The hosts that can be reached, in small letters; None if the document does not say."""
    if "egress" not in fields:
        return None
    hosts: list[str] = []
    for index, entry in enumerate(fields.items("egress", EGRESS_MAX)):
        path = (*fields.at("egress"), index)
        if isinstance(entry, str) and HOST.fullmatch(entry):
            hosts.append(entry.lower())
        elif isinstance(entry, str) and "${{" in entry:
            detail = "`egress` is literal: it is read when the document is published"
            fields.report.problem(path, "expression-not-here", detail, see="fields", found=entry)
        else:
            detail = "`egress` lists hosts, such as api.example.com, without https:// and path"
            found = entry if isinstance(entry, str) else None
            fields.report.problem(path, "bad-host", detail, found=found)
    return tuple(hosts)
