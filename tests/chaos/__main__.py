"""`make chaos`: a load, kills in the middle of it, then G1 to G4 from what the databases hold."""

import argparse
import json
import random
import secrets
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from libs.embedded.folder import free_port
from tests.chaos.checker import STARTED, check
from tests.chaos.collect import behind, collect
from tests.chaos.documents import DOCUMENTS
from tests.chaos.facts import Facts, Violation
from tests.chaos.kills import Kill, Killer
from tests.chaos.load import Job
from tests.chaos.loading import Loading, loading
from tests.chaos.stack import Stack, running

SETTLED_S = 30.0
CALLS_END_S = 40.0


@dataclass(frozen=True)
class Size:
    """How long kills go on, the pauses between them, how many executors run."""

    load_s: float
    pause_s: tuple[float, float]
    executors: int
    workers: dict[str, int]
    between_calls_s: float


BLOCKS = {"both": 2, "saga": 3, "code": 1, "parent": 2, "paid": 2, "asks": 2, "turns": 4,
          "listed": 1}  # fmt: skip
FULL = Size(
    150.0, (2.0, 6.0), 3, {"sums": 4, "answers": 3, "posts": 3, "waits": 3} | BLOCKS, 0.25
)  # fmt: skip
QUICK = Size(
    18.0, (0.6, 1.8), 2, {"sums": 3, "answers": 2, "posts": 2, "waits": 2} | BLOCKS, 0.3
)  # fmt: skip


def main() -> int:
    given = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    given.add_argument("--quick", action="store_true", help="a run under a minute")
    given.add_argument("--seed", type=int, default=secrets.randbelow(1 << 31))
    chosen = given.parse_args()
    begun = time.monotonic()
    print(f"chaos seed={chosen.seed}{' quick' if chosen.quick else ''}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="troth-chaos-"))
    kills, facts = run(folder, QUICK if chosen.quick else FULL, chosen.seed)
    violations = check(facts)
    if violations:
        print(f"data and logs are kept in {folder}")
    else:
        shutil.rmtree(folder)
    executions = sum(1 for e in facts.producers["executor"].log if e.type == STARTED)
    write(chosen.seed, executions, kills, violations)
    show(facts, kills, violations)
    counted = sum(1 for kill in kills if kill.counts)
    print(f"chaos {'ok' if not violations else 'FAILED'} seed={chosen.seed}"
          f" executions={executions} kills={counted} violations={len(violations)}"
          f" took_s={time.monotonic() - begun:.0f}")  # fmt: skip
    return 0 if counted and not violations else 1


def run(folder: Path, size: Size, seed: int) -> tuple[list[Kill], Facts]:
    """The whole run in a folder that is nobody's afterwards."""
    port = free_port()
    with running(folder / "data", size.executors, (f"127.0.0.1:{port}",), say) as stack:
        stack.sign_up()
        stack.use_big_plan()
        stack.surely("PUT", "/v1/variables/receiver", json={"value": f"http://127.0.0.1:{port}"})
        for document in DOCUMENTS.values():
            stack.publish(document)
        job = Job(
            stack.address, stack.org, port, seed, str(folder / "load"), size.workers,
            size.between_calls_s, stack.api.headers["Authorization"].removeprefix("Bearer "),
        )  # fmt: skip
        with loading(job) as load:
            kills = kill_for_a_while(stack, load, size, random.Random(seed))
            settle(stack)
            load.close()
            for how, times in sorted(load.refusals().items()):
                say(f"callers tried again after {how}: {times}")
            return kills, collect(stack, load.acknowledged(), load.requests())


def kill_for_a_while(
    stack: Stack, load: Loading, size: Size, dice: random.Random
) -> list[Kill]:  # fmt: skip
    """Kills at moments that the dice choose; returns when every caller has its answer."""
    stack.wait(lambda: bool(load.acknowledged()), "the first acknowledged start", 20)
    killer = Killer(stack, load, dice)
    end = time.monotonic() + size.load_s
    due = time.monotonic() + dice.uniform(*size.pause_s)
    while time.monotonic() < end:
        killer.turn()
        if time.monotonic() >= due:
            if (kill := killer.next()) is not None:
                say(f"{kill.at_s:6.1f} s  {kill.kind} ({kill.part}, pid {kill.pid}) had "
                    + ", ".join(f"{n} {what}" for what, n in kill.unfinished.items()))  # fmt: skip
            due = time.monotonic() + dice.uniform(*size.pause_s)
        time.sleep(0.05)
    load.ask_to_end()
    deadline = time.monotonic() + CALLS_END_S
    while time.monotonic() < deadline and not (killer.over and load.ended()):
        killer.turn()
        time.sleep(0.05)
    killer.wake_all()
    stack.wait_a_while(stack.ready, 20)
    return killer.kills


def settle(stack: Stack) -> None:
    """Everything that was begun has half a minute to end; what is left then is a violation."""
    left: list[str] = []

    def nothing_left() -> bool:
        nonlocal left
        left = behind(stack.rows)
        return not left

    begun = time.monotonic()
    if stack.wait_a_while(nothing_left, SETTLED_S):
        say(f"settled {time.monotonic() - begun:.1f} s after the last call")
    else:
        say(f"not settled after {SETTLED_S:g} s: {'; '.join(left)}")


def write(seed: int, executions: int, kills: list[Kill], violations: list[Violation]) -> None:
    file = Path("build", "chaos.json")
    file.parent.mkdir(exist_ok=True)
    report = {
        "seeds": [seed],
        "executions": executions,
        "kills": [kill.shown() for kill in kills],
        "violations": [asdict(violation) for violation in violations],
    }
    file.write_text(json.dumps(report, indent=1) + "\n")


def show(facts: Facts, kills: list[Kill], violations: list[Violation]) -> None:
    kinds = Counter(kill.kind for kill in kills if kill.counts)
    print("kills: " + ", ".join(f"{kind} {n}" for kind, n in sorted(kinds.items())))
    asked = Counter(one.kind for one in {one.execution: one for one in facts.acknowledged}.values())
    print("executions: " + ", ".join(f"{kind} {n}" for kind, n in sorted(asked.items())))
    again = sum(n - 1 for n in Counter(r.key for r in facts.requests).values())
    print(f"acknowledged {len(facts.acknowledged)}, requests {len(facts.requests)}"
          f" ({again} with a key that came before)")  # fmt: skip
    for name, producer in facts.producers.items():
        distinct = len({number.n for number in producer.published})
        print(f"{name}: head {producer.head}, published {distinct}"
              f" (messages twice {len(producer.published) - distinct}),"
              f" audited {len(producer.audited)}")  # fmt: skip
    for violation in violations:
        print(f"VIOLATION {violation.guarantee}: {violation.what}")


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
