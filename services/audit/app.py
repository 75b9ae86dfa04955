"""Audit, put together."""

from dataclasses import dataclass
from pathlib import Path

from libs.common.keys import FetchById, ask_identity_by_id
from libs.common.migrate import Schema
from libs.common.privacy import Fetch
from libs.common.service import Service
from services.audit import handlers, inventory_handlers, proof_tables
from services.audit.announcing import Clock, wall_clock
from services.audit.completeness import watch_gaps
from services.audit.contract import SERVICE
from services.audit.daykeys import DayKeys
from services.audit.forgetting import drop_destroyed_keys
from services.audit.inventory_checks import watch_inventory
from services.audit.lost_keys import say_lost_details
from services.audit.people import PURPOSE, People
from services.audit.proof import LOGINS, Proof, add_proof
from services.audit.settings import AuditSettings
from services.audit.subscribers import enter_with, trails
from services.audit.tables import gap_view, metadata
from services.audit.writing import Writer

assert proof_tables.metadata is metadata, "its tables stand beside those of the trail"
PROJECTIONS = (*trails(), gap_view)
SCHEMA = Schema(
    SERVICE, metadata, projections=PROJECTIONS, owners=("anonymizer",), logins=LOGINS,
    migrations=Path(__file__).with_name("migrations"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parts:
    """The service, and what its parts share."""

    service: Service
    keys: DayKeys
    people: People
    writer: Writer
    proof: Proof


def parts_of(
    settings: AuditSettings, *, fetch_key: Fetch | None = None,
    fetch_by_id: FetchById | None = None, clock: Clock = wall_clock,
) -> Parts:  # fmt: skip
    keys, readers = DayKeys(settings.key_places), trails()
    service = Service(
        SERVICE, settings, fetch_key=fetch_key, projections=(*readers, gap_view), connections=2
    )
    fetch_by_id = fetch_by_id or ask_identity_by_id(service.bus, PURPOSE)
    people = People(service.keys, settings.kek_bytes, fetch_by_id)
    writer = Writer(keys, people)
    enter_with(writer, readers)
    proof = add_proof(service, keys, people, settings, clock)
    parts = Parts(service, keys, people, writer, proof)
    service.include(handlers.router(service, keys, people))
    service.include(inventory_handlers.router(service, settings))

    async def watch() -> None:
        await watch_gaps(service, writer)

    async def hold_against_inventory() -> None:
        await watch_inventory(service)

    async def drop_keys() -> None:
        await drop_destroyed_keys(service, people)

    async def look_at_keys() -> None:
        await say_lost_details(service, keys)

    service.lead += [watch, hold_against_inventory]
    service.background += [drop_keys, look_at_keys]
    return parts


def build(settings: AuditSettings) -> Service:
    return parts_of(settings).service
