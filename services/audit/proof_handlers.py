"""Answers what others ask of the proof."""

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common import ids
from libs.common.bus import CausedBy, reply
from libs.common.errors import NotFound
from libs.common.eventstore import stream_of
from libs.common.looks import Looks
from libs.common.pages import page_in_memory
from libs.common.service import Service
from services.audit import proving
from services.audit.announcing import Clock
from services.audit.contract import SERVICE
from services.audit.contract.proof import (
    FindCheckpoint,
    FindCheckpoints,
    FindConsistency,
    FindDigests,
    FindProof,
    FindTile,
    FindVerifierKeys,
    KeyShown,
    ResumeSigning,
    SigningResumed,
    StillRefused,
)
from services.audit.daykeys import DayKeys
from services.audit.exports import NOTED
from services.audit.looking import trail_read
from services.audit.people import People
from services.audit.signing import CheckpointSigner
from services.audit.witnessing import Witnesses


def router(
    service: Service, keys: DayKeys, people: People, signer: CheckpointSigner,
    witnesses: Witnesses, clock: Clock, looks: Looks,
) -> NatsRouter:  # fmt: skip
    r = NatsRouter()

    @r.subscriber(FindCheckpoint.type, queue=SERVICE)
    async def find_checkpoint(query: FindCheckpoint, meta: CausedBy) -> NatsResponse:
        return reply(await proving.find_checkpoint(service, meta, query))

    @r.subscriber(FindCheckpoints.type, queue=SERVICE)
    async def find_checkpoints(query: FindCheckpoints, meta: CausedBy) -> NatsResponse:
        return reply(await proving.find_checkpoints(service, meta, query))

    @r.subscriber(FindConsistency.type, queue=SERVICE)
    async def find_consistency(query: FindConsistency, meta: CausedBy) -> NatsResponse:
        return reply(await proving.find_consistency(service, meta, query))

    @r.subscriber(FindProof.type, queue=SERVICE)
    async def find_proof(query: FindProof, meta: CausedBy) -> NatsResponse:
        found = await proving.find_proof(service, keys, people, meta, query)
        trail_read(looks, "proof", meta)
        return reply(found)

    @r.subscriber(FindTile.type, queue=SERVICE)
    async def find_tile(query: FindTile, meta: CausedBy) -> NatsResponse:
        return reply(await proving.find_tile(service, meta, query))

    @r.subscriber(FindDigests.type, queue=SERVICE)
    async def find_digests(query: FindDigests, meta: CausedBy) -> NatsResponse:
        return reply(await proving.find_digests(service, meta, query))

    @r.subscriber(FindVerifierKeys.type, queue=SERVICE)
    async def find_verifier_keys(query: FindVerifierKeys, meta: CausedBy) -> NatsResponse:
        shown = [KeyShown(verifier_key=str(signer.verifier), of="signer")]
        shown += await witnesses.shown(meta)
        return reply(
            page_in_memory(shown, query, lambda k: (int(k.of == "signer"), k.verifier_key))
        )

    @r.subscriber(ResumeSigning.type, queue=SERVICE)
    async def resume_signing(command: ResumeSigning, meta: CausedBy) -> NatsResponse:
        own = meta.model_copy(update={"organization": "instance"})
        if (before := await service.answered_before(own)) is not None:
            return before
        if command.trail not in signer.refusals:
            raise NotFound
        trail = ids.private(command.trail)
        signer.resume(trail)
        await signer.now(trail, clock())
        if command.trail in signer.refusals:
            raise StillRefused("it does not go on from what was signed last")
        async with service.database.work() as connection:
            row = await proving.last_signed(connection, trail)
            (shown,) = await proving.checkpoints_shown(connection, row)
        fact = SigningResumed(trail=command.trail)
        stream = stream_of("signing", "instance", command.trail)
        return await service.decide(NOTED, stream, [fact], own, answer=lambda state, version: shown)

    return r
