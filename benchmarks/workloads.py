"""The workloads W1, W2, W3, W5 and W6: what is sent, what is waited for, what it cost."""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks import checks, load
from benchmarks.figures import percentile
from benchmarks.following import Following
from benchmarks.generator import Done
from benchmarks.prepare import Prepared
from benchmarks.stack import Stack

UNANSWERED = 64
"""The door lets so many starts of an organization wait for their answer."""
WITHIN_S = 300.0


@dataclass(frozen=True)
class Sizes:
    """How much is sent; `quick` is for a run under a minute and its figures say little."""

    seconds: float
    warm_up: int
    burst: int
    calls: int
    items: int
    waiting: int
    idle_s: float
    floor_s: float
    rounds: int


FULL = Sizes(8.0, 400, 5000, 5, 1000, 1000, 10.0, 3.0, 3)
QUICK = Sizes(2.0, 50, 500, 3, 1000, 200, 3.0, 1.0, 1)


class Workloads:
    """Run one after the other; what each used of the processors is kept apart."""

    def __init__(self, stack: Stack, prepared: Prepared, sizes: Sizes) -> None:
        self.stack, self.prepared, self.sizes = stack, prepared, sizes
        self.executions = 0
        self.transactions = 0.0  # of the executor's database per execution, in the last measurement

    def answers(self) -> dict[str, Any]:
        """W1: one call, one answer, at three concurrencies."""
        requests = self.prepared.requests("bench-answer", 21)
        self._send(requests, 16, 200, count=self.sizes.warm_up)
        return {
            f"c{connections}": self._rounds(
                lambda c=connections: self._answers(requests, c), "per_s"
            )
            for connections in (1, 16, UNANSWERED)
        }

    def _answers(self, requests: list[str], connections: int) -> dict[str, Any]:
        done, used = self._measured(
            lambda: self._send(requests, connections, 200, seconds=self.sizes.seconds),
            lambda done: done.answered,
        )
        times = sorted(done.latencies_ms)
        return {
            "per_s": done.answered / (done.ended - done.began),
            "p50_ms": percentile(times, 50), "p95_ms": percentile(times, 95),
            "p99_ms": percentile(times, 99), "max_ms": times[-1],
            "executions": done.answered, "generator_cpu_ms": _each(done), "cpu_ms": used,
            "transactions": self.transactions,
        }  # fmt: skip

    def burst(self) -> dict[str, Any]:
        """W2: accepted as fast as the door takes them, until committed and until audited."""
        requests = self.prepared.requests("bench-burst", 7)
        return self._rounds(
            lambda: self._all_at_once(requests, self.sizes.burst), "committed_per_s"
        )

    def loop(self) -> dict[str, Any]:
        """W3: a thousand items, one step each, one call."""
        request = self.prepared.requests("bench-loop", self.sizes.items)[:1]
        self._send(request, 1, 200, count=1)
        done, used = self._measured(
            lambda: self._send(request, 1, 200, count=self.sizes.calls), lambda done: done.answered
        )
        seconds = [ms / 1000 for ms in done.latencies_ms]
        return {
            "s": statistics.median(seconds), "calls_s": seconds, "executions": done.answered,
            "generator_cpu_ms": _each(done), "cpu_ms": used,
        }  # fmt: skip

    def waiting(self) -> dict[str, Any]:
        """W5: all wait five seconds at once; from the first start until the last has ended, and
        what the slowest took from its own start."""
        return self._rounds(self._waits, "committed_per_s")

    def _waits(self) -> dict[str, Any]:
        requests = self.prepared.requests("bench-waiting", 1)
        with Following(self.stack) as following:
            first = following.n
        found = self._all_at_once(requests, self.sizes.waiting)
        each_s = checks.longest(self.stack, first)
        return {"s": found.pop("committed_s"), "each_s": each_s} | found

    def killed(self) -> dict[str, Any]:
        """W6: an executor of several is killed in the middle of W2, and comes back when it may."""
        requests, count = self.prepared.requests("bench-burst", 7), self.sizes.burst
        victim = next(name for name in self.stack.groups() if name.startswith("executor"))
        with Following(self.stack) as following:
            first = following.n
            sending = load.Generator(
                self.prepared.address, requests, UNANSWERED, count=count, keeps=202
            )
            try:
                following.wait_finished(count // 2, WITHIN_S)
                self.stack.kill(victim)
                killed, by_then = time.monotonic(), following.finished
                done = sending.take_any()
            finally:
                sending.end()
            began, _ = checks.begun_and_ended(self.stack, first)
            ended = max(following.wait_finished(len(began), WITHIN_S), done.ended)
            following.wait_audited(WITHIN_S)
        began, over = checks.begun_and_ended(self.stack, first)
        promised = {json.loads(body)["execution"] for body in done.bodies}
        self.executions += len(began)
        return {
            "s": ended - killed, "lost": len((promised | began) - over),
            "repeated": checks.repeated(self.stack, first), "ended_before_the_kill": by_then,
            "promised": len(promised), "refused": done.answered - len(promised),
            "executions": len(began),
        }  # fmt: skip

    # -- what they share ----------------------------------------------------------------------

    def _rounds(self, measure: Callable[[], dict[str, Any]], rate: str) -> dict[str, Any]:
        """The middle one of several rounds by its rate; the best one is kept beside it, for other
        guests of the machine only ever take speed away."""
        ordered = sorted((measure() for _ in range(self.sizes.rounds)), key=lambda f: f[rate])
        return ordered[len(ordered) // 2] | {"best": ordered[-1]}

    def _all_at_once(self, requests: list[str], count: int) -> dict[str, Any]:
        moments: dict[str, float] = {}

        def send() -> Done:
            with Following(self.stack) as following:
                sending = load.Generator(
                    self.prepared.address, requests, UNANSWERED, count=count
                )  # fmt: skip
                try:
                    moments["committed"] = following.wait_finished(count, WITHIN_S)
                    moments["audited"] = following.wait_audited(WITHIN_S)
                    done = sending.take(202)
                finally:
                    sending.end()
            self.executions += count
            return done

        done, used = self._measured(send, lambda _: count)
        committed, audited = (moments[name] - done.began for name in ("committed", "audited"))
        return {
            "committed_per_s": count / committed, "audited_per_s": count / audited,
            "committed_s": committed, "audited_s": audited,
            "accepted_per_s": count / (done.ended - done.began), "executions": count,
            "generator_cpu_ms": _each(done), "cpu_ms": used, "transactions": self.transactions,
        }  # fmt: skip

    def _send(self, requests: list[str], connections: int, status: int, **much: Any) -> Done:
        done = load.run(self.prepared.address, requests, connections, status, **much)
        self.executions += done.answered
        return done

    def _measured(
        self, work: Callable[[], Done], count: Callable[[Done], int]
    ) -> tuple[Done, dict[str, float]]:
        """With the processor time in ms that each part used per execution, audit included."""
        before = self.stack.cpu_s()
        with Following(self.stack) as following:
            ended = following.transactions()
            done = work()
            following.look()
            following.wait_audited(WITHIN_S)
            self.transactions = (following.transactions() - ended) / count(done)
        after = self.stack.cpu_s()
        each = {name: (after[name] - before[name]) * 1000 / count(done) for name in after}
        return done, each | {"total": sum(each.values())}


def _each(done: Done) -> float:
    return done.cpu_s * 1000 / done.answered
