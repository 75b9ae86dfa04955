"""Wiring of the executor on one screen."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import nats.errors
from nats.js import api

from libs.common.bell import Bell
from libs.common.messages import decode_batch
from libs.common.migrate import Schema
from libs.common.privacy import Fetch
from libs.common.pull import StandingPull, ensure_consumer, ensure_stream
from libs.common.service import Service
from libs.common.settings import Settings
from libs.common.streams import subject_of
from services.executor import (
    arrivals,
    arriving,
    emitting,
    file_collector,
    forgetting,
    handlers,
    history,
    loose,
    operation_sweep,
    signals,
    subscribers,
    views,
    work,
)
from services.executor.contract import MOVED, SERVICE
from services.executor.distributing import Distributor
from services.executor.engine import Engine
from services.executor.files import Files
from services.executor.handlers import files as files_asked
from services.executor.operations import Operations
from services.executor.settings import ExecutorSettings
from services.executor.start import Starts
from services.executor.tables import metadata

PROJECTIONS = (
    views.lists, subscribers.workflows_view, subscribers.billing_view, *arriving.INBOXES,
)  # fmt: skip
SCHEMA = Schema(SERVICE, metadata, Path(__file__).with_name("migrations"), PROJECTIONS)
UNACKED_MAX = 1000
WAKE_S = 0.1


class Executor(Service):
    """The service with its engine; drains the engine before it stops."""

    engine: Engine
    operations: Operations

    async def stop(self) -> None:
        await self.engine.leave()
        await super().stop()


def build(settings: Settings, fetch_key: Fetch | None = None) -> Executor:
    """The executor, not yet started; `fetch_key` stands in for identity in tests."""
    if not isinstance(settings, ExecutorSettings):
        settings = ExecutorSettings()  # pyright: ignore[reportCallIssue] - from the environment
    service = Executor(
        SERVICE, settings, projections=PROJECTIONS, fetch_key=fetch_key, connections=3
    )
    service.lease.wake_s = WAKE_S
    engine = service.engine = Engine(service, settings)
    bell = Bell(service.bus, MOVED)
    engine.committer.moved = bell.ring
    starts = Starts(engine)
    operations = service.operations = Operations(engine)
    router = handlers.router(engine, starts, operations)
    emitting.register(router, engine)
    store = Files(service, settings.files_max_mb * 1024 * 1024)
    engine.committer.refer, engine.calling.files = store.refer, store
    files_asked.register(router, engine, store)
    service.include(router)
    distributor = Distributor(engine)
    for reader in service.readers:
        reader.on_moved = distributor.wake

    service.lead += [distributor.distribute, operations.run]
    service.sweeps += [
        *arrivals.SWEEPS, operation_sweep.sweep(operations), history.sweep(engine),
        forgetting.sweep(engine), *loose.sweeps(engine),
        *file_collector.sweeps(store),
    ]  # fmt: skip

    async def take_work() -> None:
        js = service.bus.js

        async def ensure() -> None:
            await ensure_stream(
                js, work.STREAM, ["executor.work.>"], retention=api.RetentionPolicy.WORK_QUEUE
            )
            await ensure_consumer(
                js, work.STREAM, work.DURABLE, api.AckPolicy.EXPLICIT, UNACKED_MAX
            )

        await StandingPull(
            service.bus.nc, work.STREAM, work.DURABLE, settings.executor_pull, starts.take, ensure
        ).run()

    service.background += [
        bell.run, engine.committer.run, engine.leases.claim_for_ever, engine.keep_leases, take_work,
        engine.looks.run,        lambda: listen(engine),
    ]  # fmt: skip
    return service


async def listen(engine: Engine) -> None:
    """Drops what is kept in memory when an event says that it changed; hears cancels at once."""
    nc = engine.service.bus.nc

    async def workflows(message: Any) -> None:
        for event in decode_batch(message.data):
            engine.documents.drop(event.organization)

    async def billing(message: Any) -> None:
        for event in decode_batch(message.data):
            engine.limits.forget(event.organization)

    async def keys(message: Any) -> None:
        for event in decode_batch(message.data):
            if event.type == "identity.event.keys-destroyed":
                engine.service.keys.drop(event.json()["owner_id"])

    async def signal(message: Any) -> None:
        run = engine.runs.get(message.data.decode())
        if run is None:
            engine.leases.wake.set()
        elif run.version > 0:
            engine.spawn(run.heard())

    subscriptions = [
        await nc.subscribe(subject_of("workflows"), cb=workflows),
        await nc.subscribe(subject_of("billing"), cb=billing),
        await nc.subscribe(subject_of("identity"), cb=keys),
        await nc.subscribe(signals.SUBJECT, cb=signal),
    ]
    try:
        await asyncio.Event().wait()
    finally:
        with contextlib.suppress(nats.errors.Error, OSError):
            for subscription in subscriptions:
                await subscription.unsubscribe()
