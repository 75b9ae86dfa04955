"""Runs workflows as a process of its own: `python -m services.workflows`."""

from libs.common.process import run
from libs.common.settings import Settings
from services.workflows.app import build
from services.workflows.contract import SERVICE

if __name__ == "__main__":
    settings = Settings()  # pyright: ignore[reportCallIssue] - read from the environment
    run(SERVICE, [build(settings)], settings)
