"""How code in the sandbox ends when it does not return."""

from typing import Literal

Limit = Literal["time", "memory", "output", "snapshot", "suspensions"]
MESSAGE_CHARS_MAX = 1000


class SandboxError(Exception):
    """What the code had printed by then is in `printed`."""

    def __init__(self, message: str) -> None:
        super().__init__(shortened(message))
        self.printed = ""


class PythonFailed(SandboxError):
    """The code raised an exception, or can't be run: running it again gives the same.

    `line` counts from 1 in the code as it was given, and is None where no line is to blame.
    """

    def __init__(self, type: str, message: str, line: int | None) -> None:
        super().__init__(message)
        self.type, self.message, self.line = type, shortened(message), line


class LimitReached(SandboxError):
    """The code was stopped; no handler in it could hold that up."""

    def __init__(self, which: Limit, message: str) -> None:
        super().__init__(message)
        self.which: Limit = which


class WorkerLost(SandboxError):
    """The process of the sandbox ended by itself or was killed: the same may be tried again."""


class SnapshotRefused(Exception):
    """The stored snapshot is not one that we go on from; the sandbox has not seen a byte of it."""

    def __init__(self, code: Literal["snapshot-changed", "snapshot-version"], message: str) -> None:
        super().__init__(message)
        self.code = code


def shortened(text: str) -> str:
    return text if len(text) <= MESSAGE_CHARS_MAX else text[: MESSAGE_CHARS_MAX - 1] + "…"
