"""Names of streams in a log; pure, so that contracts may use it."""


def stream_of(aggregate: str, organization: str, *key: str) -> str:
    """`workflow-org_…-wf_…`: the organization is part of the name and checked by the database."""
    return "-".join((aggregate, organization, *key))
