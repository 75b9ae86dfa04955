"""The load generator, a process of its own: starts executions until SIGTERM, remembers every
acknowledgement, and receives their effects.

`python -m tests.chaos.load FILE`: FILE holds a Job. Says `ready` once the receiver listens.
"""

import asyncio
import random
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx
import msgspec

from tests.chaos.blocks import page
from tests.chaos.documents import sum_of
from tests.chaos.people import decide, say_paid
from tests.fakes.receiver import Answer, Receiver, Seen

RESEND_S = 0.3
LAST_TRIES_S = 25.0
FLAKY_SHARE = 0.05
REPEATED_SHARE = 0.1
ALWAYS = {"/refuse": 409, "/steady": 200}


class Job(msgspec.Struct):
    """`workers` says how many callers each kind of execution has; `pause_s` is between calls;
    `token` is of somebody who says events and decides."""

    address: str
    org: str
    port: int
    seed: int
    folder: str
    workers: dict[str, int]
    pause_s: float
    token: str


@dataclass
class Load:
    job: Job
    client: httpx.AsyncClient
    acknowledged: IO[bytes]
    requests: IO[bytes]
    in_flight: int = 0
    refusals: dict[str, int] = field(default_factory=dict)
    ending: asyncio.Event = field(default_factory=asyncio.Event)

    # -- the receiver of effects ----------------------------------------------------------------

    async def receive(self, seen: Seen) -> Answer:
        """Takes a moment, fails now and then; what it will answer is written down before."""
        if seen.path == "/status":
            return Answer(body=msgspec.json.encode({"in_flight": self.in_flight}))
        path, _, query = seen.path.partition("?")
        key, body = seen.headers.get("idempotency-key", ""), b"{}"
        status = 503 if random.random() < FLAKY_SHARE else 200
        if path == "/pages":
            status, body = 200, msgspec.json.encode(page(int(query.partition("=")[2])))
        elif path in ALWAYS:
            status = ALWAYS[path]
        write(self.requests, {"key": key, "status": status, "path": path, "at": seen.at})
        return Answer(status, body, after_s=random.uniform(0.02, 0.25))

    # -- the callers ----------------------------------------------------------------------------

    async def call_again_and_again(self, kind: str, number: int) -> None:
        dice = random.Random(f"{self.job.seed} {kind} {number}")
        count = 0
        while not self.ending.is_set():
            count += 1
            key = f"{kind}-{number}-{count}"
            body = _body(kind, dice, key)
            if not await self._until_acknowledged(kind, key, body):
                return
            if kind == "paid":
                await say_paid(self.client, self.job.token, key)
            if dice.random() < REPEATED_SHARE:
                await self._until_acknowledged(kind, key, body)
            await asyncio.sleep(dice.uniform(0.5, 1.5) * self.job.pause_s)

    async def _until_acknowledged(self, kind: str, key: str, body: dict[str, Any]) -> bool:
        """The same key until somebody promises; False when the end comes first."""
        loop = asyncio.get_running_loop()
        deadline = None
        while True:
            if await self._promised(kind, key, body):
                return True
            if self.ending.is_set():
                deadline = deadline or loop.time() + LAST_TRIES_S
                if loop.time() > deadline:
                    return False
            await asyncio.sleep(RESEND_S)

    async def _promised(self, kind: str, key: str, body: dict[str, Any]) -> bool:
        self.in_flight += 1  # a caller that only sleeps before the next try is not in flight
        try:
            answer = await self.client.post(
                f"/hooks/{self.job.org}/{kind}", json=body, headers={"Idempotency-Key": key}
            )
        except httpx.HTTPError as error:
            self._refused(type(error).__name__)
            return False
        finally:
            self.in_flight -= 1
        execution, wrong = None, None
        if answer.status_code == 202:
            execution = answer.json()["execution"]
        elif answer.status_code == 200:
            execution = answer.headers["troth-execution"]
            if answer.json() != sum_of(body["n"]):
                wrong = answer.text[:200]
        else:
            self._refused(f"{answer.status_code} {answer.json().get('code')}")
            return False
        said = {"key": key, "execution": execution, "kind": kind, "wrong": wrong, "sent": body}
        write(self.acknowledged, said)
        return True

    def _refused(self, how: str) -> None:
        self.refusals[how] = self.refusals.get(how, 0) + 1


def _body(kind: str, dice: random.Random, key: str) -> dict[str, Any]:
    makes: dict[str, Callable[[], dict[str, Any]]] = {
        "saga": lambda: {"failed": dice.random() < 0.5, "caught": dice.random() < 0.5},
        "code": lambda: {"numbers": list(range(1, dice.randint(3, 5)))},
        "paid": lambda: {"order": key},
        "turns": lambda: {"who": dice.choice(["a", "b"])},
        "posts": lambda: {"items": list(range(dice.randint(3, 8)))},
        "waits": lambda: {"pause": f"{dice.choice([1, 2, 3])}s"},
    }
    return makes.get(kind, lambda: {"n": dice.randint(0, 1000)})()


def write(file: IO[bytes], fact: dict[str, Any]) -> None:
    """A line that is in the file when this returns."""
    file.write(msgspec.json.encode(fact) + b"\n")
    file.flush()


async def main(job: Job) -> None:
    folder = Path(job.folder)
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=50)
    with (
        (folder / "acknowledged.jsonl").open("ab") as acknowledged,
        (folder / "requests.jsonl").open("ab") as requests,
    ):
        async with httpx.AsyncClient(base_url=job.address, timeout=25, limits=limits) as client:
            load = Load(job, client, acknowledged, requests)
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, load.ending.set)
            async with Receiver(load.receive, job.port):
                deciding = asyncio.create_task(decide(client, job.token))
                print("ready", flush=True)
                async with asyncio.TaskGroup() as group:
                    for kind, count in job.workers.items():
                        for number in range(count):
                            group.create_task(load.call_again_and_again(kind, number))
                print("calls ended", flush=True)
                await asyncio.to_thread(sys.stdin.read)  # effects come until nobody runs
                deciding.cancel()
        (folder / "refusals.json").write_bytes(msgspec.json.encode(load.refusals))


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Job)))
