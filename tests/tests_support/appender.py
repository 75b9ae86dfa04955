"""A process that appends to a log until it is ended; prints the ids of what was acknowledged.

`python -m tests_support.appender CONNINFO SEED STREAMS SHARE`: decisions of several streams in a
batch, a share of them in a transaction of its own, half of those rolled back.
"""

import json
import random
import sys
import uuid
from typing import Any

import psycopg

APPEND = "select won, last_n from append(0::smallint, %s::json)"


def event(stream: str, version: int, org: str = "org_1") -> dict[str, Any]:
    """One row for `append`."""
    return {
        "id": str(uuid.uuid4()), "org": org, "stream": stream, "version": version,
        "type": "ledger.event.noted", "data_version": 1, "actor": "per_1", "data": {"amount": 1},
    }  # fmt: skip


def append(connection: psycopg.Connection[Any], batch: list[dict[str, Any]]) -> set[str]:
    """The streams that won."""
    return {won for won, _ in connection.execute(APPEND, (json.dumps(batch),)).fetchall()}


def decisions(
    connection: psycopg.Connection[Any], streams: list[str], dice: random.Random
) -> list[dict[str, Any]]:
    """One to three events for each stream, behind the version that was seen a moment ago."""
    rows = connection.execute(
        "select stream, max(version) from log where stream = any(%s) group by 1", (streams,)
    ).fetchall()
    at: dict[str, int] = dict(rows)
    batch: list[dict[str, Any]] = []
    for stream in streams:
        first = at.get(stream, 0) + 1
        batch += [event(stream, first + i) for i in range(dice.randint(1, 3))]
    return batch


def step(
    connection: psycopg.Connection[Any], names: list[str], dice: random.Random, share: float
) -> list[str]:
    """One append; the ids of the events that are committed now."""
    streams = dice.sample(names, dice.randint(1, min(5, len(names))))
    batch, how = decisions(connection, streams, dice), dice.random()
    if how >= share:
        won = append(connection, batch)
    else:
        with connection.transaction() as transaction:
            won = append(connection, batch)
            if how < share / 2:
                won = set()
                raise psycopg.Rollback(transaction)
    return [e["id"] for e in batch if e["stream"] in won]


def main() -> None:
    conninfo, seed, streams, share = sys.argv[1:]
    dice = random.Random(int(seed))
    names = [f"ledger-org_1-{i}" for i in range(int(streams))]
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while True:
            print(*step(connection, names, dice, float(share)), flush=True)


if __name__ == "__main__":
    main()
