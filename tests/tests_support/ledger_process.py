"""The miniature ledger as a process of its own: `python -m tests_support.ledger_process`."""

from libs.common.process import run
from libs.common.settings import Settings
from tests_support.ledger import build_ledger

if __name__ == "__main__":
    settings = Settings()  # pyright: ignore[reportCallIssue] - read from the environment
    run("ledger", [build_ledger(settings)], settings)
