"""Runs audit as a process of its own: `python -m services.audit`."""

from libs.common.process import run
from libs.common.settings import Settings
from services.audit.app import build
from services.audit.contract import SERVICE

if __name__ == "__main__":
    settings = Settings()  # pyright: ignore[reportCallIssue] - read from the environment
    run(SERVICE, [build(settings)], settings)
