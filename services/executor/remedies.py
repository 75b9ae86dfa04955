"""What a person can do about an error of an execution, by its type; each in a hundred letters."""

REMEDIES = {
    "timeout": "Raise the step's `timeout`, or give it a `retry`; perhaps the other side is slow.",
    "connection": "See whether the host is up and its name right; a `retry` bridges short outages.",
    "rate-limited": "Ask less often: `rate`, `concurrency`, or a `retry` that waits longer.",
    "server-error": "The other side failed; a `retry` may help, its operator knows more.",
    "client-error": "The other side refused the request: see in the step's data what was sent.",
    "egress-refused": "The guard refused the address; the operator, or `egress`, may allow it.",
    "input-invalid": "The step's `with` does not fit its connector; see the step's data.",
    "output-too-large": "Ask for less at a time, or give back only what later steps need.",
    "approval-rejected": "Somebody said no; `on_reject: continue` or a `catch` goes on then.",
    "approval-timeout": "Nobody decided in time; a longer `timeout` or `remind` helps.",
    "wait-timeout": "The event did not come in time; see its `match`, or set `on_timeout`.",
    "workflow-failed": "Look at the other execution: the timeline names it.",
    "python-error": "The code raised an error; the step's data has its text.",
    "interrupted": "Nobody knows whether it took effect; see the other side, then replay or go on.",
    "budget-exceeded": "Raise `budget`, or look for a loop that does more than it should.",
}
EXPRESSION = "The expression has no value for this input; try it with this execution's data."


def remedy(kind: str) -> str | None:
    if kind.startswith("expression"):
        return EXPRESSION
    return REMEDIES.get(kind)
