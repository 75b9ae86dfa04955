"""Debounce: calls of one key give their inputs to one execution, which begins when it is quiet."""

from typing import TYPE_CHECKING, Any

import msgspec

from libs.common.eventstore import stream_of
from libs.common.messages import Event, Meta
from libs.common.privacy import DataKey
from libs.language.document import Debounce
from services.executor.contract import StartsCollected
from services.executor.domain import Collect
from services.executor.file_values import referred_by
from services.executor.signals import signal
from services.executor.state import Going

if TYPE_CHECKING:
    from services.executor.engine import Engine
    from services.executor.run import Run

INPUTS_MAX = 1000
INPUTS_BYTES_MAX = 262_144


async def give(
    engine: "Engine", execution: str, call: str, input: Any, key: DataKey, meta: Meta,
    window_s: float, max_s: float | None,
) -> bool:  # fmt: skip
    """Gives an input to the execution that gathers them; False when it has begun already."""
    if (store := engine.calling.files) is not None:
        await store.refer(meta.organization, execution, referred_by(input))
    stream = stream_of("execution", meta.organization, execution)
    wish = Collect(
        call=call, input=key.seal(input, stream), bytes=len(msgspec.json.encode(input)),
        inputs_max=INPUTS_MAX, bytes_max=INPUTS_BYTES_MAX, window_s=window_s, max_s=max_s,
    )  # fmt: skip
    return await signal(engine, execution, wish, meta)


async def begin(run: "Run") -> None:
    """Nothing is gathered from here on; steps see the last input, or all of them as `items`."""
    debounce = run.document.debounce
    if debounce is None:
        return
    if not run.state.closed:
        await run.flush(StartsCollected(count=len(run.state.collected) + 1), closes=True)
    value = seen(debounce, run.names["input"], run.state, run.key, run.stream)
    run.names = {**run.names, "input": value}


def counted(event: Event, state: Going) -> Event:
    """What came until the commit that ends the gathering belongs to what steps see."""
    if isinstance(event, StartsCollected):
        return event.model_copy(update={"count": len(state.collected) + 1})
    return event


def seen(debounce: Debounce, first: Any, state: Going, key: DataKey, stream: str) -> Any:
    """The input as steps see it, of what was gathered after the first one."""
    given = [first, *(key.open(one, stream) for one in state.collected)]
    return {"items": given} if debounce.collect else given[-1]
