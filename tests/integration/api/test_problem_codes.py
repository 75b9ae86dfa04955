"""Every code of a problem is met here as a caller meets it, or it says why it can't be."""

from pathlib import Path

import pytest
from tests_support import (  # noqa: F401 - registers the rest
    meetings_of_executions,
    meetings_of_parts,
    meetings_of_reviews,
)
from tests_support.meetings import MEETS
from tests_support.world import World

from services.gateway.catalogue import CATALOGUE

TESTS = Path(__file__).parents[2]
# Why not, and the test that shows it elsewhere; None where nothing can give the code.
NOT_HERE: dict[str, tuple[str, str | None]] = {
    "export-too-large": ("more than 256 MB", "component/executor/test_exporting.py"),
    "operation-running": ("asked for too early", "integration/api/test_export.py"),
    "files-full": ("more than 10 GB", "component/executor/test_files.py"),
    "too-many-streams": ("as many as are allowed", "integration/api/test_streams.py"),
    "event-loop": ("nine events in a row", "component/executor/test_event_triggers.py"),
    "plan-lacks-feature": ("no plan holds a feature back yet", None),
    "execution-running": ("while a process holds it", "component/executor/test_replay.py"),
    "sign-up-closed": ("the installation's setting", "component/identity/test_sign_in.py"),
    "invitation-needed": ("the installation's setting", "component/identity/test_invitations.py"),
    "invitation-expired": ("after seven days", "component/identity/test_invitations.py"),
    "conflict": ("eight lost races in a row", "component/common/test_eventstore.py"),
    "rejected": ("the kind's own code: every refusal has one of its own", None),
    "range-not-satisfiable": (
        "behind the end of an export",
        "integration/api/test_audit_proofs.py",
    ),
    "export-changed": ("a day was forgotten meanwhile", "component/audit/test_exports.py"),
    "checkpoint-refused": ("a trail that was changed", "component/audit/test_signer.py"),
    "quota-exceeded": ("200 at once", "integration/api/test_refused_calls.py"),
}


def test_every_code_is_met_or_says_why_not() -> None:
    assert set(CATALOGUE) == set(MEETS) | set(NOT_HERE)
    assert not set(MEETS) & set(NOT_HERE)


@pytest.mark.parametrize(
    ("code", "file"), [(code, file) for code, (_, file) in NOT_HERE.items() if file is not None]
)
def test_what_is_not_met_here_is_asserted_where_it_says(code: str, file: str) -> None:
    lines = (TESTS / file).read_text().splitlines()
    assert any(f'"{code}"' in line and "assert" in line for line in lines), f"{file}: {code}"


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
