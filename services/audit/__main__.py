"""Runs audit as a process of its own: `python -m services.audit`."""

from libs.common.process import run
from services.audit.app import build
from services.audit.contract import SERVICE
from services.audit.settings import AuditSettings

if __name__ == "__main__":
    settings = AuditSettings()  # pyright: ignore[reportCallIssue] - read from the environment
    run(SERVICE, [build(settings)], settings)
