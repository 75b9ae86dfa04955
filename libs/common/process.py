"""Runs services in one process: start, `/healthz` `/readyz` `/metrics`, drain on SIGTERM."""

import asyncio
import contextlib
import gc
import hashlib
import logging
import signal
from collections.abc import Sequence
from typing import Any

import msgspec
import uvicorn
import uvloop
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from libs.common import clock, telemetry
from libs.common.bus_service import BusService
from libs.common.settings import Settings

log = logging.getLogger(__name__)
VERSION = "0.1.0"


class Ops:
    """The internal port: alive (the loop turns), ready (each part), metrics."""

    def __init__(self, services: Sequence[BusService]) -> None:
        self.services = services
        self.draining = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        status, kind, body = await self._answer(scope["path"])
        await send({"type": "http.response.start", "status": status,
                    "headers": [(b"content-type", kind.encode())]})  # fmt: skip
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, path: str) -> tuple[int, str, bytes]:
        if path == "/healthz":
            return 200, "text/plain", b"alive\n"
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest(REGISTRY)
        if path == "/readyz":
            parts: dict[str, str] = {}
            for service in self.services:
                parts |= await service.ready()
            if self.draining:
                parts["process"] = "draining"
            good = all(said == "ok" for said in parts.values())
            body = msgspec.json.encode({"ready": good, "parts": parts})
            return 200 if good else 503, "application/json", body
        return 404, "text/plain", b"not here\n"


class Server(uvicorn.Server):
    """A uvicorn server whose signals belong to the process around it."""

    def install_signal_handlers(self) -> None:
        return None

    def capture_signals(self) -> Any:
        return contextlib.nullcontext()


async def serve(
    services: Sequence[BusService], settings: Settings, front: Server | None = None
) -> None:
    """Runs until SIGTERM or SIGINT; then drains within `drain_s`."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    ops = Ops(services)
    await asyncio.gather(*(service.start() for service in services))
    servers = [Server(uvicorn.Config(
        ops, host="127.0.0.1" if not settings.ops_open else "0.0.0.0",  # noqa: S104 - in a pod only
        port=settings.ops_port, log_config=None, lifespan="off", access_log=False,
    ))]  # fmt: skip
    if front is not None:
        servers.append(front)
    running = [asyncio.create_task(server.serve()) for server in servers]
    digest = hashlib.sha256(settings.model_dump_json().encode()).hexdigest()[:16]
    for service in services:
        await service.note_start(VERSION, digest)
    log.info("started", extra={"services": [s.name for s in services]})
    _spare_what_stays()
    done = asyncio.create_task(stop.wait())
    await asyncio.wait([done, *running], return_when=asyncio.FIRST_COMPLETED)
    ops.draining = True
    log.info("draining")
    if front is not None:
        front.should_exit = True
        await asyncio.wait([running[-1]], timeout=settings.drain_s)
    for service in services:
        await service.note_stop("drained")
    await asyncio.wait(
        [asyncio.create_task(service.stop()) for service in services], timeout=settings.drain_s
    )
    servers[0].should_exit = True
    await asyncio.wait(running, timeout=2)


def _spare_what_stays() -> None:
    """What the start made (modules, schemas, validators) stays for good: never looked through
    again, for each look stops the process for a tenth of a second. Garbage in rings is rare here,
    so it is looked for after many more objects than by default."""
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(5_000, 20, 50)


def run(
    name: str, services: Sequence[BusService], settings: Settings, front: Server | None = None
) -> None:
    """The main function of a process."""
    telemetry.set_up_logs(name, settings.log_level)
    telemetry.set_up_traces(name, settings.traces_file)
    if clock.offset_s:
        log.warning("the clock is moved ahead", extra={"seconds": clock.offset_s})
    uvloop.run(serve(services, settings, front))
