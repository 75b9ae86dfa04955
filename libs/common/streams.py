"""Names of streams in a log, and where a log travels; pure, so that contracts may use it."""


def stream_of(aggregate: str, organization: str, *key: str) -> str:
    """`workflow-org_…-wf_…`: the organization is part of the name and checked by the database."""
    return "-".join((aggregate, organization, *key))


def subject_of(service: str, partition: int = 0) -> str:
    """Events travel as CloudEvents batches: one subject per log, consumers take all of it."""
    return f"{service}.event.batch.{partition}"
