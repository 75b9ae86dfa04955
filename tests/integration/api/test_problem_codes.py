"""Every code of a problem is met here as a caller meets it, or it says why it can't be."""

import pytest
from tests_support import (  # noqa: F401 - registers the rest
    meetings_of_executions,
    meetings_of_parts,
    meetings_of_reviews,
)
from tests_support.meetings import MEETS
from tests_support.world import World

from services.gateway.catalogue import CATALOGUE

NOT_HERE = {
    "export-too-large": "more than its limit: tests/component/executor/test_exporting.py",
    "operation-running": "a result that is asked for too early: test_operations.py",
    "too-many-streams": "test_streams.py, with as many as are allowed",
    "event-loop": "nine events in a row: tests/component/executor/test_event_triggers.py",
    "plan-lacks-feature": "no plan holds a feature back yet",
    "execution-running": "while a process holds it: tests/component/executor/test_replay.py",
    "sign-up-closed": "a setting of the installation: tests/component/identity/test_sign_in.py",
    "invitation-needed": "a setting of the installation: test_invitations.py of identity",
    "invitation-expired": "after seven days: tests/unit/identity/test_invitations.py",
    "conflict": "eight lost races in a row: tests/component/common/test_eventstore.py",
    "rejected": "the kind's own code: every refusal has one of its own",
    "range-not-satisfiable": "behind the end of an export: test_audit_proofs.py",
    "export-changed": "after a day was forgotten: tests/component/audit/test_exports.py",
    "checkpoint-refused": "a trail that was changed: tests/component/audit/test_signer.py",
    "quota-exceeded": "test_refused_calls.py, with 200 at once",
}


def test_every_code_is_met_or_says_why_not() -> None:
    assert set(CATALOGUE) == set(MEETS) | set(NOT_HERE)
    assert not set(MEETS) & set(NOT_HERE)


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_a_code_is_met_with_its_status_and_explained_on_its_page(world: World, code: str) -> None:
    page = world.public.ask("GET", f"/problems/{code}")
    assert page.status_code == 200 and "What to do" in page.text
    if code in NOT_HERE:
        return
    answer = MEETS[code](world)
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert answer.json()["code"] == code, answer.text
    assert answer.status_code == CATALOGUE[code].status
    assert answer.json()["type"] == f"/problems/{code}"


# -- 400 -----------------------------------------------------------------------------------------
