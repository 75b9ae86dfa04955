"""A decider: an initial state, a pure `decide` and a pure `evolve`; and its given/when/then."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from libs.common.errors import DomainError
from libs.common.messages import Event

C = TypeVar("C")
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Decider(Generic[C, S]):
    initial: S
    decide: Callable[[C, S], Sequence[Event]]
    evolve: Callable[[S, Any], S]

    def fold(self, events: Sequence[Event], state: S | None = None) -> S:
        current = self.initial if state is None else state
        for event in events:
            current = self.evolve(current, event)
        return current


class Given(Generic[C, S]):
    """`given(decider, *events).when(command).then(...)`: a decision tested as a sentence."""

    def __init__(self, decider: Decider[C, S], events: Sequence[Event]) -> None:
        self._decider, self._events = decider, events
        self._made: list[Event] = []
        self._error: DomainError | None = None

    def when(self, command: C) -> "Given[C, S]":
        try:
            state = self._decider.fold(self._events)
            self._made = list(self._decider.decide(command, state))
        except DomainError as error:
            self._error = error
        return self

    def then(self, *expected: Event) -> None:
        assert self._error is None, f"refused: {self._error}"
        assert self._made == list(expected)

    def then_kinds(self, *kinds: type[Event]) -> list[Event]:
        assert self._error is None, f"refused: {self._error}"
        assert [type(e) for e in self._made] == list(kinds)
        return self._made

    def then_refused(self, kind: type[DomainError]) -> DomainError:
        assert self._error is not None, f"not refused, but {self._made}"
        assert isinstance(self._error, kind), f"refused by {type(self._error)}"
        return self._error

    def then_nothing(self) -> None:
        assert (self._error, self._made) == (None, [])


def given(decider: Decider[C, S], *events: Event) -> Given[C, S]:
    return Given(decider, events)
