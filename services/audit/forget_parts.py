"""Forgetting, put together: days, receipts, legal holds, and what answers for them."""

from dataclasses import dataclass

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common.bus import CausedBy, reply
from libs.common.errors import Forbidden
from libs.common.looks import Looks
from libs.common.service import Service
from services.audit.announcing import Clock
from services.audit.anonymizing import Anonymizer
from services.audit.contract import SERVICE
from services.audit.contract.forgetting import (
    DestroyedKeysFound,
    FindDestroyedKeys,
    FindReceipt,
)
from services.audit.contract.holds import (
    FindAllHolds,
    FindHeldEntries,
    FindHolds,
    LiftHold,
    PlaceHold,
)
from services.audit.daykeys import DayKeys
from services.audit.forget_ledger import apply, destroyed_among
from services.audit.hold_copying import Keeper
from services.audit.hold_keys import HoldKeys
from services.audit.holds import Holds
from services.audit.people import People
from services.audit.proof import as_signer
from services.audit.receipts import Receipts, find_receipt
from services.audit.settings import AuditSettings
from services.audit.signing import CheckpointSigner


@dataclass(frozen=True, slots=True)
class Forgetting:
    """What tests take a turn of by hand."""

    anonymizer: Anonymizer
    keeper: Keeper
    receipts: Receipts


def add_forgetting(
    service: Service, keys: DayKeys, people: People, signer: CheckpointSigner,
    settings: AuditSettings, looks: Looks, clock: Clock,
) -> Forgetting:  # fmt: skip
    """Adds handlers, what is done before anything is served, and what the leading process does."""
    receipts = Receipts(signer, as_signer(service), settings.audit_origin)
    keeper = Keeper(service, keys, people, HoldKeys(settings.key_places), receipts, clock)
    anonymizer = Anonymizer(service, keys, signer, receipts, keeper.secure, clock)
    service.include(router(service, Holds(service, keeper, looks, clock)))

    async def apply_ledger() -> None:
        await apply(service, keys)

    service.first.append(apply_ledger)
    service.sweeps.append(anonymizer.sweep())
    service.lead.append(keeper.run)
    return Forgetting(anonymizer, keeper, receipts)


def router(service: Service, holds: Holds) -> NatsRouter:
    r = NatsRouter()

    @r.subscriber(FindReceipt.type, queue=SERVICE)
    async def find(query: FindReceipt, meta: CausedBy) -> NatsResponse:
        return reply(await find_receipt(service, meta, query))

    @r.subscriber(FindDestroyedKeys.type, queue=SERVICE)
    async def find_destroyed_keys(query: FindDestroyedKeys, meta: CausedBy) -> NatsResponse:
        if meta.actor != "system:identity":
            raise Forbidden("only identity asks this", permission="system")
        return reply(DestroyedKeysFound(kids=await destroyed_among(service, query.kids)))

    @r.subscriber(PlaceHold.type, queue=SERVICE)
    async def place_hold(command: PlaceHold, meta: CausedBy) -> NatsResponse:
        return await holds.place(command, meta)

    @r.subscriber(LiftHold.type, queue=SERVICE)
    async def lift_hold(command: LiftHold, meta: CausedBy) -> NatsResponse:
        return reply(await holds.lift(command, meta))

    @r.subscriber(FindHolds.type, queue=SERVICE)
    async def find_holds(query: FindHolds, meta: CausedBy) -> NatsResponse:
        return reply(await holds.find(query, meta))

    @r.subscriber(FindAllHolds.type, queue=SERVICE)
    async def find_all_holds(query: FindAllHolds, meta: CausedBy) -> NatsResponse:
        return reply(await holds.find(query, meta))

    @r.subscriber(FindHeldEntries.type, queue=SERVICE)
    async def find_held_entries(query: FindHeldEntries, meta: CausedBy) -> NatsResponse:
        return reply(await holds.entries(query, meta))

    return r
