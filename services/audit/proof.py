"""The proof, put together: signer, digests, exports and what answers for them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from libs.common.looks import Looks
from libs.common.service import Service
from libs.common.settings import secrets_of
from libs.trail.notes import signer_name
from services.audit import export_handlers, proof_handlers
from services.audit.announcing import Announcer, Clock, keep_signing, wall_clock
from services.audit.contract import SERVICE
from services.audit.daykeys import DayKeys
from services.audit.digests import Digests, keep_digests
from services.audit.exports import SWEEPS, Exports
from services.audit.memory import Memory
from services.audit.people import People
from services.audit.settings import AuditSettings
from services.audit.signing import CheckpointSigner, Connect
from services.audit.signing_key import open_key
from services.audit.witnessing import Witnesses

LOGINS = ("signer",)


@dataclass(frozen=True, slots=True)
class Proof:
    """What tests take a turn of by hand."""

    signer: CheckpointSigner
    announcer: Announcer
    digests: Digests
    exports: Exports
    witnesses: Witnesses


def as_signer(service: Service) -> Connect:
    """Connections of the one role that may write what was signed."""
    password = secrets_of(SERVICE).signer_password.get_secret_value()
    conninfo = make_conninfo(
        service.database.conninfo("system"), user=f"{SERVICE}_signer", password=password
    )

    @asynccontextmanager
    async def connect() -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        connection = await psycopg.AsyncConnection.connect(conninfo, autocommit=True)
        try:
            yield connection
        finally:
            await connection.close()

    return connect


def add_proof(
    service: Service, keys: DayKeys, people: People, settings: AuditSettings, looks: Looks,
    clock: Clock = wall_clock,
) -> Proof:  # fmt: skip
    """Adds handlers, and what the leading process does."""
    place, origin = settings.signing_place, settings.audit_origin
    connect = as_signer(service)
    key = open_key(place, signer_name(origin))
    memory = Memory(place.with_name(f"{place.name}-seen"))
    signer = CheckpointSigner(key, origin, memory, connect)
    witnesses = Witnesses(
        settings.witnesses, service, connect, clock, settings.audit_witness_timeout_s
    )
    proof = Proof(
        signer, Announcer(service, signer), Digests(service, signer, connect, origin),
        Exports(service, keys, people, signer, witnesses, clock), witnesses,
    )  # fmt: skip
    service.include(proof_handlers.router(service, keys, people, signer, witnesses, clock, looks))
    service.include(export_handlers.router(proof.exports, looks))

    async def sign() -> None:
        every_s = settings.audit_checkpoint_s
        await keep_signing(signer, proof.announcer, witnesses.wake, clock, every_s)

    async def digest() -> None:
        await keep_digests(proof.digests, clock)

    service.lead += [sign, digest, proof.exports.run, witnesses.run]
    service.sweeps += SWEEPS
    return proof
