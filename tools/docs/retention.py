"""docs/retention.md: what each service keeps, and how long; and what every log has."""

from libs.common.retention import OF_EVERY_LOG, Retention
from tools import inventory
from tools.docs.markdown import code, page, table

HEAD = ("service", "name", "days", "what", "what for", "basis", "records")

INTRODUCTION = """
The rules of each service's `retention.py`, and what every service with a log has besides. What has
no number of days is kept as long as its organization or person; the log itself is never shortened:
what must go is sealed, and its key is destroyed. Each record stands in exactly one rule, which says
what its values are for and on which legal basis; [inventory.md](inventory.md) has every one.
"""


def retention_page() -> str:
    rules = [(service, rule) for service, own in inventory.rules().items() for rule in own]
    rules += [("*every one*", rule) for rule in OF_EVERY_LOG]
    rows = [
        (service, rule.name, "" if rule.keep_days is None else str(rule.keep_days), rule.what,
         rule.purpose, rule.basis, _records(rule))
        for service, rule in rules
    ]  # fmt: skip
    return page("Retention", INTRODUCTION, table(HEAD, rows))


def _records(rule: Retention) -> str:
    kinds = (("", rule.tables), ("stream ", rule.streams), ("file ", rule.files))
    named = [f"{kind}{code(name)}" for kind, names in kinds for name in names]
    events = [f"{len(rule.events)} types of events"] if rule.events else []
    return ", ".join(named + events)
