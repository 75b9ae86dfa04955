"""Whom to kill, what it holds at that moment, and the signal."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg

from services.executor.commit import LEASE_S
from tests.chaos.loading import Loading
from tests.chaos.stack import Stack

KINDS = ("executor", "relay", "services", "nats", "postgres", "zombie", "gateway")
BUSY_WITHIN_S = 3.0
PAST_LEASE_S = 1.5
HELD = "select count(*) from timers where owner like %s and leased_until > now()"
BEGUN = "select count(*) from timers"
UNPUBLISHED = "select h.n - r.n from heads h, readers r where r.name = 'relay'"
TAKEN_BY_AUDIT = "select n from readers where name = 'trail_executor'"
LEADER = "select split_part(owner, ':', 2)::int from leases where name = 'lead' and until > now()"


@dataclass
class Kill:
    """One kill; it counts when `unfinished` names something."""

    at_s: float
    kind: str
    part: str
    pid: int
    unfinished: dict[str, int]
    back_s: float | None = None

    @property
    def counts(self) -> bool:
        return any(found > 0 for found in self.unfinished.values())

    def shown(self) -> dict[str, Any]:
        back = None if self.back_s is None else round(self.back_s, 2)
        return {"at_s": round(self.at_s, 2), "kind": self.kind, "part": self.part,
                "pid": self.pid, "unfinished": self.unfinished, "counts": self.counts,
                "back_s": back}  # fmt: skip


@dataclass
class Killer:
    """Kinds in a random order, each as often as the others, by the dice alone."""

    stack: Stack
    load: Loading
    dice: random.Random
    begun: float = field(default_factory=time.monotonic)
    kills: list[Kill] = field(default_factory=list)
    _asleep: dict[int, tuple[float, Kill]] = field(default_factory=dict)
    _away: list[tuple[str, Kill, float]] = field(default_factory=list)
    _kinds: Iterator[str] | None = None

    def next(self) -> Kill | None:
        """Kills the next one as soon as it is in the middle of something; None when it is not
        there, or had nothing in hand for a while."""
        if self._kinds is None:
            self._kinds = self._rounds()
        kind = next(self._kinds)
        kill: Kill | None = None

        def busy() -> bool:
            nonlocal kill
            kill = self._look(kind)
            return kill is not None and kill.counts

        self.stack.wait_a_while(self._quietly(busy), BUSY_WITHIN_S)
        if kill is None or not kill.counts:
            return None
        self._strike(kill)
        return kill

    def _rounds(self) -> Iterator[str]:
        while True:
            yield from self.dice.sample(KINDS, len(KINDS))

    @staticmethod
    def _quietly(look: Callable[[], bool]) -> Callable[[], bool]:
        """A database that is just being started again has no evidence to give."""

        def looked() -> bool:
            try:
                return look()
            except (psycopg.OperationalError, OSError):
                return False

        return looked

    # -- evidence -------------------------------------------------------------------------------

    def _look(self, kind: str) -> Kill | None:
        part = self._part(kind)
        pid = self.stack.pids.get(part) if part else None
        if part is None or pid is None or pid in self._asleep:
            return None
        found = {
            "executor": lambda: self._held(pid), "zombie": lambda: self._held(pid),
            "relay": lambda: self._unpublished() | self._held(pid), "services": self._unaudited,
            "gateway": self._calls,
        }.get(kind, lambda: self._begun() | self._calls())  # fmt: skip
        return Kill(time.monotonic() - self.begun, kind, part, pid, found())

    def _part(self, kind: str) -> str | None:
        pids = self.stack.pids
        if kind == "relay":
            leader = self.stack.rows("executor", LEADER)
            return next((n for n, pid in pids.items() if leader and pid == leader[0][0]), None)
        if kind not in ("executor", "zombie"):
            return kind
        awake = [n for n in pids if n.startswith("executor") and pids[n] not in self._asleep]
        return self.dice.choice(awake) if len(awake) > 1 else None

    def _held(self, pid: int) -> dict[str, int]:
        return {"executions held": self.stack.rows("executor", HELD, f"%:{pid}")[0][0]}

    def _unpublished(self) -> dict[str, int]:
        return {"events unpublished": self.stack.rows("executor", UNPUBLISHED)[0][0]}

    def _unaudited(self) -> dict[str, int]:
        head = self.stack.rows("executor", "select n from heads")[0][0]
        return {"events unaudited": head - self.stack.rows("audit", TAKEN_BY_AUDIT)[0][0]}

    def _begun(self) -> dict[str, int]:
        return {"executions begun": self.stack.rows("executor", BEGUN)[0][0]}

    def _calls(self) -> dict[str, int]:
        return {"calls unanswered": self.load.in_flight()}

    # -- the deed -------------------------------------------------------------------------------

    def _strike(self, kill: Kill) -> None:
        if kill.kind == "zombie":
            self.stack.kill(kill.part, signal.SIGSTOP)
            wakes = time.monotonic() + LEASE_S + PAST_LEASE_S + self.dice.random()
            self._asleep[kill.pid] = (wakes, kill)
        else:
            self.stack.kill(kill.part, signal.SIGKILL)
            self._away.append((kill.part, kill, time.monotonic()))
        self.kills.append(kill)

    def turn(self) -> None:
        """Wakes zombies when their time has come; notes when a killed part is there again."""
        self.stack.poll()
        now = time.monotonic()
        for pid, (wakes, kill) in list(self._asleep.items()):
            if now >= wakes:
                self._wake(pid)
                kill.back_s = now - self.begun - kill.at_s
        for one in list(self._away):
            part, kill, since = one
            if self.stack.pids.get(part) not in (None, kill.pid):
                kill.back_s = now - since
                self._away.remove(one)

    def _wake(self, pid: int) -> None:
        _, kill = self._asleep.pop(pid)
        if self.stack.pids.get(kill.part) == pid:
            self.stack.kill(kill.part, signal.SIGCONT)

    @property
    def over(self) -> bool:
        """Nobody sleeps, everybody is back."""
        return not self._asleep and not self._away

    def wake_all(self) -> None:
        for pid in list(self._asleep):
            self._wake(pid)
