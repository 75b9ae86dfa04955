"""The form of a doctor's check, and what all checks look at."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cli.run_state import RunState
from cli.store import NotThere, Stores

How = Literal["ok", "look", "wrong"]


@dataclass(frozen=True)
class Finding:
    """What a check found; `repair` says what to do unless it is ok."""

    name: str
    how: How
    detail: str
    repair: str | None = None


@dataclass(frozen=True)
class Patient:
    """An installation to be looked at; `state` is None when it does not run."""

    stores: Stores

    @property
    def data(self) -> Path:
        return self.stores.data

    @property
    def state(self) -> RunState | None:
        return self.stores.state


@dataclass(frozen=True)
class Check:
    """`running`: only something that runs can be looked at so."""

    name: str
    look: Callable[[Patient, str], Finding]
    running: bool = False

    def __call__(self, patient: Patient) -> Finding:
        """A check that fails itself says so; it never hides the others."""
        if self.running and patient.state is None:
            return Finding(self.name, "look", "nothing runs", f"troth up --data {patient.data}")
        try:
            return self.look(patient, self.name)
        except NotThere as error:
            return Finding(self.name, "wrong", str(error), "restart `troth up`; see its logs")
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            return Finding(self.name, "wrong", said, "see the logs in the data folder")
