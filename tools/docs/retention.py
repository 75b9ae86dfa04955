"""docs/retention.md: what each service keeps, and how long; and what every log has."""

from tools import inventory
from tools.docs.markdown import page, table

INTRODUCTION = """
The rules of each service's `retention.py`. What has no number of days is kept as long as its
organization or person; the log itself is never shortened: what must go is sealed, and its key is
destroyed. JetStream keeps messages for 72 hours; ids of commands are kept for 25 hours.
"""


def retention_page() -> str:
    rows = [
        (service, rule.name, "" if rule.keep_days is None else str(rule.keep_days), rule.what)
        for service, rules in inventory.rules().items()
        for rule in rules
    ]
    return page("Retention", INTRODUCTION, table(("service", "name", "days", "what"), rows))
