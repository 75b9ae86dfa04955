"""`retry`: how often and when a connector is tried again, and after which errors."""

from dataclasses import replace

from libs.language.check_context import Fields, kind_of
from libs.language.scan import OPENING
from libs.language.steps import Retry

ATTEMPTS_MAX = 100
RETRY_ENTRIES_MAX = 20
RETRY_TYPES = ("timeout", "connection", "rate-limited", "server-error", "client-error")
STATUS_CLASSES = ("4xx", "5xx")
RETRY_KEYS = ("attempts", "backoff", "initial", "max", "on", "then")


def undo_retry(fields: Fields, of_step: Retry | None) -> Retry | None:
    """The retry of an undo: its own, else the step's. A rollback never pauses for a person."""
    if "retry" in fields:
        return retry_at(fields, may_pause=False)
    return None if of_step is None else replace(of_step, then="fail")


def retry_at(fields: Fields, *, may_pause: bool = True) -> Retry | None:
    """The step's own retry, None if it has none."""
    inner = fields.inner("retry")
    if inner is None:
        return None
    inner.only(RETRY_KEYS)
    then = inner.one_of("then", ("fail", "pause") if may_pause else ("fail",))
    backoff = inner.one_of("backoff", ("exponential", "fixed"))
    return Retry(
        attempts=inner.integer("attempts", 1, ATTEMPTS_MAX),
        backoff="fixed" if backoff == "fixed" else "exponential" if backoff else None,
        initial_s=inner.duration("initial"),
        max_s=inner.duration("max"),
        on=retry_on(inner) if "on" in inner else None,
        then="pause" if then == "pause" else "fail",
    )


def retry_on(fields: Fields) -> tuple[str | int, ...]:
    """Error types, status codes, and classes of them."""
    entries: list[str | int] = []
    for index, entry in enumerate(fields.items("on", RETRY_ENTRIES_MAX)):
        is_status = isinstance(entry, int) and not isinstance(entry, bool) and 400 <= entry <= 599
        if is_status or (isinstance(entry, str) and entry in (*RETRY_TYPES, *STATUS_CLASSES)):
            entries.append(entry)
            continue
        path = (*fields.at("on"), index)
        known = (*RETRY_TYPES, *STATUS_CLASSES)
        found = str(entry) if isinstance(entry, (str, int)) else kind_of(entry)
        if OPENING in found:
            detail = "`on` is literal: it is read when the document is published"
            fields.report.problem(path, "expression-not-here", detail, see="fields", found=found)
            continue
        detail = f"`on` lists {', '.join(known)} and status codes from 400 to 599"
        fields.report.problem(path, "not-one-of", detail, found=found, near=known)
    return tuple(entries)
