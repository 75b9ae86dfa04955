"""`python -m services.executor`: one executor process."""

from libs.common.process import run
from services.executor.app import build
from services.executor.settings import ExecutorSettings

if __name__ == "__main__":
    settings = ExecutorSettings()  # pyright: ignore[reportCallIssue] - from the environment
    run("executor", [build(settings)], settings)
