"""Callers in threads: each repeats a hook with its key until somebody promises the start."""

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.chaos.stack import Stack


@dataclass
class Callers:
    """`acknowledged`: execution by key; `refused`: statuses of those who had to try again."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    refused: list[int] = field(default_factory=list)


@contextmanager
def calling(
    stack: Stack, name: str, threads: int = 4, last_tries_s: float = 30
) -> Iterator[Callers]:
    """Calls the hook `sums` all the time; at the end each caller gets its last answer."""
    callers, ending = Callers(), threading.Event()

    def call_again_and_again(number: int) -> None:
        with httpx.Client(base_url=stack.address, timeout=15) as client:
            for count in itertools.count():
                if ending.is_set():
                    return
                key = f"{name}-{number}-{count}"
                _until_promised(client, stack.org, key, callers, ending, last_tries_s)
                time.sleep(0.05)

    running = [
        threading.Thread(target=call_again_and_again, args=(number,)) for number in range(threads)
    ]
    for thread in running:
        thread.start()
    try:
        yield callers
    finally:
        ending.set()
        stack.wait(lambda: not any(t.is_alive() for t in running), "callers get their answer",
                   last_tries_s + 20)  # fmt: skip


def _until_promised(
    client: httpx.Client, org: str, key: str, callers: Callers, ending: threading.Event,
    last_tries_s: float,
) -> None:  # fmt: skip
    deadline = None
    while True:
        try:
            answer = client.post(
                f"/hooks/{org}/sums", json={"n": 1}, headers={"Idempotency-Key": key}
            )
        except httpx.HTTPError:
            callers.refused.append(0)
        else:
            if answer.status_code == 202:
                callers.acknowledged[key] = answer.json()["execution"]
                return
            callers.refused.append(answer.status_code)
        if ending.is_set():
            deadline = deadline or time.monotonic() + last_tries_s
            if time.monotonic() > deadline:
                return
        time.sleep(0.2)
