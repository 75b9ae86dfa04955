"""Replays and new versions of a world's workflows, in a few words."""

from typing import Any

from libs.common.testing import eventually
from services.executor.contract import OpenData, ReplayExecution
from services.workflows.contract import FindDraft, PublishWorkflow, SaveDraft
from tests_support.blocks import HEAD, World


async def replayed(world: World, execution: str, **more: Any) -> dict[str, Any]:
    """The new execution as the answer shows it."""
    asked = ReplayExecution(execution_id=execution, **more)
    return (await world.bed.bus.ask(asked, world.bed.meta)).value


async def republished(world: World, text: str) -> None:
    """The workflow of the first `run` or `send` gets a new version."""
    whole = (HEAD.format(name="w1") + text).replace("PORT", str(world.receiver.port))
    found = await world.bed.bus.ask(FindDraft(workflow="w1"), world.bed.meta)
    meta = world.bed.meta.model_copy(update={"expected_version": found.version})
    saved = await world.bed.bus.ask(SaveDraft(workflow="w1", document=whole, media="yaml"), meta)
    publish = PublishWorkflow(workflow="w1", draft_version=saved.value["draft"])
    await world.bed.bus.ask(publish, world.bed.meta)


async def ended(world: World, execution: str) -> dict[str, Any]:
    return await eventually(
        lambda: world.shown(execution), lambda shown: shown["outcome"] is not None
    )


async def output(world: World, execution: str) -> Any:
    asked = OpenData(execution_id=execution)
    return (await world.bed.bus.ask(asked, world.bed.meta)).value["output"]
