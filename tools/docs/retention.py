"""docs/retention.md: what each service keeps, and how long; and what every log has."""

from libs.common.retention import OF_EVERY_LOG, Retention
from tools import inventory
from tools.docs.markdown import code, page, table

HEAD = ("service", "name", "days", "what", "what for", "basis", "applied by", "records")

INTRODUCTION = """
The rules of each service's `retention.py`, and what every service with a log has besides. What has
no number of days is kept as long as its organization or person. From a log only executions leave,
whole, when the days of the plan are over or somebody forgets them; whatever else must go is sealed,
and its key is destroyed. Each record stands in exactly one rule, which says what its values are for
and on which legal basis; [inventory.md](inventory.md) has every one.

A sweep is run by the process that leads the service, when it begins to lead and every ten minutes
(`TROTH_RETENTION_EVERY_S`), in small bites, each its own transaction. `troth retention` shows what
each did last and for how long anything is overdue, `troth_retention_lag_seconds` tells the same to
who watches. Nothing goes before its time.
"""


def retention_page() -> str:
    rules = [(service, rule) for service, own in inventory.rules().items() for rule in own]
    rules += [("*every one*", rule) for rule in OF_EVERY_LOG]
    rows = [
        (service, rule.name, "" if rule.keep_days is None else str(rule.keep_days), rule.what,
         rule.purpose, rule.basis, _by(rule), _records(rule))
        for service, rule in rules
    ]  # fmt: skip
    return page("Retention", INTRODUCTION, table(HEAD, rows))


def _by(rule: Retention) -> str:
    return rule.by or ("" if rule.keep_days is None else "its sweep")


def _records(rule: Retention) -> str:
    kinds = (("", rule.tables), ("stream ", rule.streams), ("file ", rule.files))
    named = [f"{kind}{code(name)}" for kind, names in kinds for name in names]
    events = [f"{len(rule.events)} types of events"] if rule.events else []
    return ", ".join(named + events)
