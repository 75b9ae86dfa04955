"""A rule of retention: which records it is about, what they are for, and how long they are kept."""

from dataclasses import dataclass

from libs.common.purposes import Basis, Purpose


@dataclass(frozen=True, slots=True)
class Retention:
    """`keep_days` is None for what is kept as long as its organization, person or log.

    `tables` and `events` (names without their service) are the records that the rule is about:
    every one of a service stands in exactly one rule, and its values are processed for the rule's
    purpose, on its basis, unless their own type says otherwise. `keys` are the purposes of the data
    keys (`libs/common/grants.py`) under which its sealed values are.
    A sweep of the service (`libs/common/sweeping.py`) applies a rule with days, unless `by` says
    what else does.
    """

    name: str
    keep_days: int | None
    what: str
    purpose: Purpose
    basis: Basis
    tables: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    by: str = ""


# What every service with a log has besides its own.
OF_EVERY_LOG = (
    Retention(
        "log", None, "the envelope of every event: ids, time, who acted, in which stream",
        Purpose.TRAIL, Basis.CONTRACT, tables=("log",), keys=("day",),
    ),
    Retention(
        "commands", 1, "ids of commands and their answers, sealed, for 25 hours",
        Purpose.RUNNING, Basis.CONTRACT, tables=("commands",), keys=("installation",),
    ),
    Retention(
        "bookkeeping", None,
        "how far each reader is, who leads, what was migrated, what retention did last",
        Purpose.RUNNING, Basis.LEGITIMATE_INTEREST,
        tables=("heads", "expired", "readers", "leases", "migrations", "sweeps"),
        keys=("installation",),
    ),
    Retention(
        "lifecycle", None, "processes that started or stopped, readers that stopped",
        Purpose.RUNNING, Basis.LEGITIMATE_INTEREST,
        events=("service-started", "service-stopped", "reader-stopped", "event-skipped"),
        keys=("installation",),
    ),
    Retention(
        "bus", 3, "what JetStream holds of the log; older events are read from the log itself",
        Purpose.RUNNING, Basis.CONTRACT, streams=("events",), keys=("day",),
        by="NATS, as the stream's `max_age` says, by its own clock",
    ),
)  # fmt: skip
