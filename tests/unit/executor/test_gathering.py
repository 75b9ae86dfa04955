"""How many inputs were gathered is said as it is at the commit, not as it was before it."""

from types import SimpleNamespace
from typing import Any, cast

from services.executor.collecting import counted
from services.executor.contract import ExecutionPaused, StartsCollected


def test_what_came_between_asking_and_committing_is_counted() -> None:
    state = cast(Any, SimpleNamespace(collected=["one", "two"]))

    assert counted(StartsCollected(count=1), state) == StartsCollected(count=3)


def test_other_facts_stay_as_they_are() -> None:
    paused = ExecutionPaused(cause="person", path=None, reason=None)

    assert counted(paused, cast(Any, SimpleNamespace(collected=["one"]))) is paused
