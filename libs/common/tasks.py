"""Ending tasks for certain."""

import asyncio
from collections.abc import Sequence
from typing import Any


async def end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancels until all have ended.

    Once is not enough: `asyncio.wait_for` of Python 3.11 swallows a cancellation that comes when
    what it waits for has just happened.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=0.5)
