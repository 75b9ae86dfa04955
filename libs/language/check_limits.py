"""Warnings of limits that will be hit when the workflow runs, as far as the file shows them."""

import ast
from collections.abc import Callable, Iterator

from libs.language.check_report import Report
from libs.language.document import Document
from libs.language.durations import parse_duration
from libs.language.expression import Expression
from libs.language.functions_list import RANGE_MAX
from libs.language.source import Path, path_of
from libs.language.steps import (
    ApprovalStep,
    Block,
    ForEachStep,
    Pages,
    Retry,
    Step,
    UsesStep,
    WaitStep,
    WorkflowStep,
    blocks_in,
)

# What a retry has where it says nothing (§7.3).
ATTEMPTS, INITIAL_S, MAX_S = 3, 1.0, 30.0
RULE = "limit-reached"
Note = Callable[..., None]


def warn_of_limits(report: Report, document: Document) -> None:
    """Report what can't end well; the document has no problems."""
    checks = {
        ForEachStep: loop_limits,
        WaitStep: wait_limits,
        ApprovalStep: approval_limits,
        UsesStep: call_limits,
    }
    for step in every_step(document):
        path = path_of(step.pointer, report.source.value)

        def note(inner: Path, detail: str, path: Path = path) -> None:
            report.warning((*path, *inner), RULE, detail)

        for kind, check in checks.items():
            if isinstance(step, kind):
                check(step, document, note)
    for step in document.steps:
        if isinstance(step, WorkflowStep) and step.workflow == document.name:
            path = path_of(f"{step.pointer}/workflow", report.source.value)
            detail = "the workflow calls itself in every execution: the depth of calls ends it"
            report.warning(path, RULE, detail)


def every_step(document: Document) -> Iterator[Step]:
    """All steps of a document."""
    waiting = [document.block, *((document.on_error,) if document.on_error else ())]
    while waiting:
        for step in waiting.pop().steps:
            yield step
            waiting.extend(blocks_in(step))


def loop_limits(step: ForEachStep, document: Document, note: Note) -> None:
    """A loop over more items than the budget has steps for."""
    budget = document.budget_steps
    if isinstance(step.items, Pages):
        if budget is not None and step.items.limit > budget:
            detail = f"`limit` is {step.items.limit} items; `budget.steps` ends at {budget} results"
            note(("for_each",), detail)
        return
    count = literal_count(step.items)
    if count is None:
        return
    if count > RANGE_MAX and "range" in step.items.text:
        note(("for_each",), f"`range` gives at most {RANGE_MAX} numbers")
    results = count * least_results(step.block)
    if budget is not None and results > budget:
        detail = f"the loop makes at least {results} results; `budget.steps` is {budget}"
        note(("for_each",), detail)


def literal_count(items: Expression) -> int | None:
    """How many items `range(n)` or a written list has."""
    try:
        node = ast.parse(f"({items.text.strip()})", mode="eval").body
    except SyntaxError:
        return None  # it holds a line break that only the language's own parser takes
    if isinstance(node, ast.List):
        return len(node.elts)
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return None
    first = node.args[0] if node.args else None
    if node.func.id == "range" and isinstance(first, ast.Constant) and type(first.value) is int:
        return first.value
    return None


def least_results(block: Block) -> int:
    """How many results one run of a block has at least: its steps, and the items of its loops."""
    results = 0
    for step in block.steps:
        results += 1
        if isinstance(step, ForEachStep) and isinstance(step.items, Expression):
            results += (literal_count(step.items) or 0) * least_results(step.block)
    return max(results, 1)


def wait_limits(step: WaitStep, document: Document, note: Note) -> None:
    """A wait that is longer than what may be."""
    too_long(step.timeout_s, ("wait", "timeout"), document, note)
    if step.for_ is None or not step.for_.is_constant:
        return
    seconds = parse_duration(step.for_.source)
    too_long(seconds, ("wait", "for"), document, note)
    if step.timeout_s is not None and seconds > step.timeout_s:
        note(("wait", "for"), "this wait is longer than its own `timeout`")


def approval_limits(step: ApprovalStep, document: Document, note: Note) -> None:
    """An approval whose time is longer than the execution's, or a reminder that is never sent."""
    too_long(step.timeout_s, ("approval", "timeout"), document, note)
    if step.remind_s and step.timeout_s and step.remind_s >= step.timeout_s:
        note(("approval", "remind"), "nobody is reminded: `timeout` comes first")


def call_limits(step: UsesStep, document: Document, note: Note) -> None:
    """Attempts and pauses that a deadline cuts short."""
    too_long(step.deadline_s, ("deadline",), document, note)
    if step.deadline_s is None:
        return
    if step.timeout_s > step.deadline_s:
        key = "deadline"
        note((key,), f"one attempt may take {step.timeout_s:g}s; the deadline comes before that")
    pauses = 0.0 if step.retry is None else longest_pauses(step.retry)
    if pauses > step.deadline_s:
        detail = f"the pauses between attempts can take {pauses:g}s; the deadline comes before that"
        note(("retry",), detail)


def longest_pauses(retry: Retry) -> float:
    """The longest that all pauses of a retry can take together."""
    initial = INITIAL_S if retry.initial_s is None else retry.initial_s
    longest = MAX_S if retry.max_s is None else retry.max_s
    doubled = 1 if retry.backoff == "fixed" else 2
    count = (ATTEMPTS if retry.attempts is None else retry.attempts) - 1
    return sum(min(longest, initial * doubled**number) for number in range(count))


def too_long(seconds: float | None, key: tuple[str, ...], document: Document, note: Note) -> None:
    """A time beyond what the whole execution has."""
    if seconds is None:
        return
    for name, limit in (
        ("timeout", document.timeout_s),
        ("budget.duration", document.budget_duration_s),
    ):
        if limit is not None and seconds > limit:
            note(key, f"this is longer than the document's `{name}` of {limit:g}s")
