"""What runs on one worker of `make test` as a unit, and in which order: the costliest first."""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# The files of such a folder use one installation, which is started once.
TOGETHER = (
    "tests/integration/api/", "tests/integration/chaos/", "tests/integration/examples/",
    "tests/integration/forgetting/",
)  # fmt: skip
CLI = "tests/integration/cli/"
SHARE_AN_INSTALLATION = ("test_client.py", "test_inventory.py", "test_up.py", "test_operating.py")
# It leaves an event that no reader can read.
COMES_LAST = f"{CLI}test_operating.py"
# As measured; what is not named here is short and comes afterwards. Only the order depends on it.
COSTLY: tuple[str, ...] = (
    "tests/integration/api/",
    "tests/integration/forgetting/",
    "tests/integration/demo/test_demo.py",
    "tests/integration/docs/test_command_blocks.py",
    "tests/integration/fairness/test_single_call.py",
    "tests/integration/cli/",
    "tests/integration/schedules/test_ticks.py",
    "tests/integration/chaos/",
    "tests/integration/cli/test_external.py",
    "tests/integration/examples/",
    "tests/component/executor/test_fairness.py",
    "tests/component/executor/test_long.py",
    "tests/component/executor/test_events.py",
    "tests/component/executor/test_history_locks.py",
    "tests/component/audit/test_exports.py",
    "tests/component/audit/test_forgetting_on_disk.py",
    "tests/component/audit/test_proofs.py",
    "tests/component/audit/test_siem.py",
    "tests/component/audit/test_trail.py",
    "tests/component/common/test_lease.py",
    "tests/component/executor/test_life.py",
    "tests/component/inventory/test_live_system.py",
    "tests/integration/embedded/test_embedded_postgres.py",
    "tests/integration/embedded/test_killed_supervisor.py",
    "tests/component/subscriptions/test_crash.py",
    "tests/component/common/test_outage.py",
    "tests/test_architecture.py",
    "tests/unit/docs/test_generated_pages.py",
    "tests/unit/language/test_check_fuzz.py",
    "tests/unit/language/test_expression_hostile.py",
    "tests/unit/executor/test_machine.py",
)


def unit_of(nodeid: str) -> str:
    """The file of a test, or the folder where its files share an installation."""
    file = nodeid.partition("::")[0]
    if file.startswith(CLI) and file.removeprefix(CLI) in SHARE_AN_INSTALLATION:
        return CLI
    return next((folder for folder in TOGETHER if file.startswith(folder)), file)


def costliest_first(items: list[pytest.Item]) -> None:
    """Sorts by unit, and leaves the tests of a unit as they are, but for those that come last."""
    ranks = {unit: rank for rank, unit in enumerate(COSTLY)}
    items.sort(key=lambda item: (
        ranks.get(unit_of(item.nodeid), len(ranks)), item.nodeid.startswith(COMES_LAST),
    ))  # fmt: skip


class InUnits(LoadScopeScheduling):
    """Gives a worker its next unit in the order of the collection."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False  # it would put the files with most tests first
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
