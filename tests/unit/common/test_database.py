"""A store that does not answer is a refusal that names it; errors do not repeat what was stored."""

import psycopg
import pytest
from sqlalchemy import exc

from libs.common.database import Database, unavailable
from libs.common.errors import NotFound, Unavailable


@pytest.mark.parametrize(
    "lost",
    [
        psycopg.OperationalError("gone"), psycopg.errors.LockNotAvailable("busy"), OSError("gone"),
        exc.OperationalError("select 1", {}, Exception("gone")),
        exc.TimeoutError("no connection of the pool was free"),
        exc.InternalError("select 1", {}, Exception("ended"), connection_invalidated=True),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_a_lost_store_is_unavailable_and_named(lost: Exception) -> None:
    with pytest.raises(Unavailable) as refused, unavailable("store"):
        raise lost
    assert refused.value.extra == {"part": "store"}


@pytest.mark.parametrize(
    "other", [ValueError("x"), NotFound(), exc.IntegrityError("insert", {}, Exception("twice"))]
)
def test_other_errors_pass_unchanged(other: Exception) -> None:
    with pytest.raises(type(other)) as passed, unavailable("store"):
        raise other
    assert passed.value is other


def test_errors_of_statements_do_not_repeat_their_values() -> None:
    database = Database("postgresql://h:1", "ledger", "p", "p")
    for engine in (database.system, database.reader):
        assert engine.sync_engine.hide_parameters
