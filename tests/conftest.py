"""Servers for tests: from settings, else testcontainers, else the embedded wheels or the system."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests_support import kept, memory, units
from tests_support.servers import Servers, find_servers

memory.use_it()
gc.disable()  # what is imported and collected stays: looking through it is a third of the work

# What may be skipped, and why; anything else that is skipped makes the run fail.
AGREED = (
    "this kernel or container refuses user namespaces",
    "lies where an ordinary user may not read it",
)


def agreed(report: Any) -> bool:
    return any(reason in str(report.longrepr) for reason in AGREED)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """PostgreSQL and NATS of this test worker alone."""
    with find_servers() as found:
        yield found


@pytest.fixture(autouse=True)
def _databases_go(request: pytest.FixtureRequest) -> Iterator[None]:
    """Those of a test end with it; those of a module or session were made before this begins."""
    if "servers" not in request.fixturenames:
        yield
        return
    found: Servers = request.getfixturevalue("servers")
    before = len(found.taken)
    yield
    found.drop(found.taken[before:])


def _settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("TROTH_")}


_GIVEN = _settings()
_set_aside: dict[str, str] = {}
_module: list[str] = [""]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    units.costliest_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile`; None leaves the choice to xdist."""
    return units.InUnits(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """From here on there is garbage; all that is there already is never looked through again."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    kept.following[0] = nextitem


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """What component tests set in `TROTH_…` (servers, passwords) is not there for a `troth up`.

    Before any fixture of an integration module only the settings of the caller are left; for the
    next module of another kind, what was set aside is there again.
    """
    module = str(item.path)
    if module == _module[0]:
        return
    was, now = ("integration" in Path(name).parts for name in (_module[0], module))
    _module[0] = module
    if now:
        if not was:
            _set_aside.update(_settings())
        _put(_GIVEN)
    elif was:
        _put(_set_aside)


def _put(wanted: dict[str, str]) -> None:
    for name in _settings():
        del os.environ[name]
    os.environ.update(wanted)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Says what was skipped, also when nothing was."""
    skipped = terminalreporter.stats.get("skipped", [])
    terminalreporter.write_line(f"{len(skipped)} skipped")
    for report in skipped:
        word = "agreed" if agreed(report) else "NOT AGREED"
        terminalreporter.write_line(f"  {word}: {report.nodeid}: {report.longrepr}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    if exitstatus == 0 and not all(agreed(report) for report in skipped):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
