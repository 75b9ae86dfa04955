"""Audit, put together."""

from dataclasses import dataclass
from pathlib import Path

from libs.common.keys import FetchById, ask_identity_by_id
from libs.common.looks import Looks
from libs.common.migrate import Schema
from libs.common.privacy import Fetch
from libs.common.service import Service
from libs.egress import Policy
from services.audit import (
    handlers,
    inventory_handlers,
    origins,
    proof_tables,
    siem_handlers,
    siem_tables,
)
from services.audit.announcing import Clock, wall_clock
from services.audit.completeness import watch_gaps
from services.audit.contract import SERVICE
from services.audit.daykeys import DayKeys
from services.audit.export_text import ExportText
from services.audit.forget_ledger import is_destroyed
from services.audit.forget_parts import Forgetting, add_forgetting
from services.audit.forgetting import drop_destroyed_keys
from services.audit.forwarding import Forwarder
from services.audit.hold_log import hold_view
from services.audit.inventory_checks import watch_inventory
from services.audit.lost_keys import say_lost_details
from services.audit.pairing import pair_for_ever
from services.audit.people import PURPOSE, People
from services.audit.proof import LOGINS, Proof, add_proof
from services.audit.settings import AuditSettings
from services.audit.subscribers import enter_with, trails
from services.audit.tables import gap_view, metadata
from services.audit.writing import Writer

for beside in (proof_tables, siem_tables):
    assert beside.metadata is metadata, "its tables stand beside those of the trail"
VIEWS = (gap_view, hold_view)
PROJECTIONS = (*trails(), *VIEWS)
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
    forgetting: Forgetting


def parts_of(
    settings: AuditSettings, *, fetch_key: Fetch | None = None,
    fetch_by_id: FetchById | None = None, clock: Clock = wall_clock,
) -> Parts:  # fmt: skip
    keys, readers = DayKeys(settings.key_places), trails()
    service = Service(
        SERVICE, settings, fetch_key=fetch_key, projections=(*readers, *VIEWS), connections=2
    )
    fetch_by_id = fetch_by_id or ask_identity_by_id(service.bus, PURPOSE)

    async def destroyed(kid: str) -> bool:
        return await is_destroyed(service, kid)

    people = People(service.keys, settings.kek_bytes, fetch_by_id, destroyed)
    writer = Writer(keys, people)
    enter_with(writer, readers)
    looks = Looks(service.store)
    proof = add_proof(service, keys, people, settings, looks, clock)
    forgetting = add_forgetting(service, keys, people, proof.signer, settings, looks, clock)
    parts = Parts(service, keys, people, writer, proof, forgetting)
    service.include(handlers.router(service, keys, people, looks))
    service.include(inventory_handlers.router(service, settings))
    service.include(origins.router(keys, settings.kek_bytes))
    source, allowed = ExportText(service, keys, people, proof.signer), settings.allowed_pairs
    service.include(siem_handlers.router(service, source, Policy(allowed), clock))

    async def carry() -> None:
        await Forwarder(service, source, settings, clock).run()

    async def watch() -> None:
        await watch_gaps(service, writer)

    async def hold_against_inventory() -> None:
        await watch_inventory(service)

    async def pair() -> None:
        await pair_for_ever(service)

    async def drop_keys() -> None:
        await drop_destroyed_keys(service, people)

    async def look_at_keys() -> None:
        await say_lost_details(service, keys)

    service.lead += [watch, hold_against_inventory, carry, pair]
    service.background += [drop_keys, look_at_keys, looks.run]
    return parts


def build(settings: AuditSettings) -> Service:
    return parts_of(settings).service
