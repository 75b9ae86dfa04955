"""The life of a secret and of a variable: stored, deleted; a version is never given twice."""

from dataclasses import dataclass, replace
from datetime import datetime

from libs.common.decider import Decider
from libs.common.errors import NotFound
from libs.common.messages import Event
from services.workflows.contract import SecretDeleted, SecretStored, VariableDeleted, VariableSet


@dataclass(frozen=True, slots=True)
class Value:
    """A named value; `created_at` is None while there is none (never yet, or deleted)."""

    version: int = 0
    created_at: datetime | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """A new version; `sealed` is a variable's value (a secret's is kept beside the log)."""

    name: str
    at: datetime
    sealed: str = ""


@dataclass(frozen=True, slots=True)
class Delete:
    name: str


Command = Store | Delete


def decide_secret(command: Command, state: Value) -> list[Event]:
    if isinstance(command, Store):
        version = state.version + 1
        return [SecretStored(name=command.name, secret_version=version, stored_at=command.at)]
    if state.created_at is None:
        raise NotFound()
    return [SecretDeleted(name=command.name)]


def decide_variable(command: Command, state: Value) -> list[Event]:
    if isinstance(command, Store):
        return [
            VariableSet(
                name=command.name, variable_version=state.version + 1, value=command.sealed,
                set_at=command.at,
            )
        ]  # fmt: skip
    if state.created_at is None:
        raise NotFound()
    return [VariableDeleted(name=command.name)]


def evolve(state: Value, event: Event) -> Value:
    match event:
        case SecretStored():
            created = state.created_at or event.stored_at
            return Value(event.secret_version, created, event.stored_at)
        case VariableSet():
            created = state.created_at or event.set_at
            return Value(event.variable_version, created, event.set_at)
        case SecretDeleted() | VariableDeleted():
            return replace(state, created_at=None, changed_at=None)
        case _:
            raise TypeError(f"{event.type} is not of a secret or a variable")


secret: Decider[Command, Value] = Decider(Value(), decide_secret, evolve)
variable: Decider[Command, Value] = Decider(Value(), decide_variable, evolve)
