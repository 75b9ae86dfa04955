"""What the guard says when a request does not get out, or does not come back."""

from typing import Literal

FailureKind = Literal["timeout", "connection", "too-large", "protocol"]


class EgressRefused(Exception):
    """The guard forbids this request; asking again gives the same answer.

    Names the host as it was asked for and the rule, never an address that the name stands for:
    what lies behind the guard is no business of the person who writes a workflow.
    """

    code = "egress-refused"

    def __init__(self, host: str, rule: str) -> None:
        super().__init__(f"the egress guard refused {host or 'the address'}: {rule}")
        self.host = host
        self.rule = rule


class EgressFailed(Exception):
    """The request was allowed, but no usable answer came back."""

    code = "egress-failed"

    def __init__(self, kind: FailureKind, host: str, detail: str) -> None:
        super().__init__(f"{host}: {detail}")
        self.kind: FailureKind = kind
        self.host = host
        self.detail = detail
