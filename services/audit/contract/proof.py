"""What others may ask of the proof: checkpoints, tiles, digests, exports; and what is told of it.

Part of `services.audit.contract`, where others find it too.
"""

from typing import Annotated, Literal

from pydantic import Field

from libs.common.errors import Conflict, Rejected
from libs.common.fields import Count, Digest, Flag, Moment, OperationId, Word, plain
from libs.common.fields import EventId as EntryId
from libs.common.lists import Page, PageQuery
from libs.common.messages import Command, Event, Message, Query
from services.executor.contract import OperationShown

TrailId = Annotated[str, Field(pattern=r"^trail_[0-9a-z]{26}$"), plain("audit trail")]
Base64 = Annotated[str, Field(max_length=60_000), plain("hash of the trail, in base 64")]
NoteText = Annotated[str, Field(max_length=4_000), plain("signed note: sizes, hashes, times")]
VerifierKey = Annotated[str, Field(max_length=300), plain("public key")]
ProofText = Annotated[
    str, Field(max_length=60_000), plain("proof file, for who may read the trail")
]
ExportText = Annotated[str, Field(), plain("part of an export, for who may export the trail")]
ExportFormat = Literal["jsonl", "ocsf"]
EXPORT_PREFIX = "op_audit"  # the id tells the gateway whose operation it is
Reason = Literal["smaller", "inconsistent", "missing", "other-key", "gone"]


class ExportChanged(Conflict):
    """What was to be exported is not what it was when the export was made."""

    code = "export-changed"


class StillRefused(Conflict):
    """The trail does not go on from what was signed last; nothing was signed."""

    code = "checkpoint-refused"


class NotSigned(Rejected):
    """No checkpoint reaches that far."""

    code = "not-signed-yet"


# -- events ------------------------------------------------------------------------------------


class CheckpointSigned(Event, type="audit.event.checkpoint-signed", public=True):
    """What was entered is signed for: at most once an hour, whatever was signed meanwhile.

    `since` is the size of the checkpoint that was told before.
    """

    trail: TrailId
    since: Count
    size: Count
    note: NoteText


class CheckpointRefused(Event, type="audit.event.checkpoint-refused"):
    """A trail does not go on from what was signed: nothing is signed for it any more.

    `size` is what is there now, `signed` what was signed last.
    """

    trail: TrailId
    reason: Reason
    size: Count
    signed: Count


class SigningResumed(Event, type="audit.event.signing-resumed"):
    """An operator has looked at a refused trail; the next checkpoint is checked as ever."""

    trail: TrailId


class DigestSigned(Event, type="audit.event.digest-signed"):
    """The numbers of all producers were counted and signed for."""

    number: Count
    complete: Flag


class ProducerSilent(Event, type="audit.event.producer-silent"):
    """A producer did not say where its log ends when it was asked for a digest."""

    producer: Word
    number: Count


class CountDiffered(Event, type="audit.event.count-differed"):
    """Numbers of a producer do not add up: `count` of the numbers to `last` stand in the trail.

    More than `last`: some stand there twice. Fewer: a gap. `head` below `last`: its log was cut.
    """

    producer: Word
    number: Count
    head: Count | None
    last: Count
    count: Count


class ExportRequested(Event, type="audit.event.export-requested", public=True):
    """Somebody takes a part of the trail away."""

    operation_id: OperationId
    format: ExportFormat
    from_at: Moment
    to_at: Moment


# -- checkpoints and proofs ------------------------------------------------------------------------


class OfTrail(Query):
    """`trail` is the caller's organization's own; the instance's, for its operator."""

    trail: TrailId | None = None


class CheckpointShown(Message):
    """`checkpoint` is the signed note, `root` its root in base 64."""

    trail: TrailId
    size: Count
    root: Base64
    checkpoint: NoteText
    signed_at: Moment


class FindCheckpoint(
    OfTrail, type="audit.query.find-checkpoint", permission="audit:read", answers=CheckpointShown
):
    """The last one of a trail, or the one of a size."""

    size: Count | None = None


class FindCheckpoints(
    PageQuery, type="audit.query.find-checkpoints", permission="audit:read",
    answers=Page[CheckpointShown],
):  # fmt: skip
    """All that were signed for a trail."""

    trail: TrailId | None = None


class ConsistencyShown(Message):
    """The proof that the smaller tree is the beginning of the larger one (RFC 9162 §2.1.4)."""

    trail: TrailId
    from_size: Count
    to_size: Count
    hashes: list[Base64]


class FindConsistency(
    OfTrail, type="audit.query.find-consistency", permission="audit:read", answers=ConsistencyShown
):
    """Between two sizes, at most that of the last checkpoint."""

    from_size: Count
    to_size: Count


class ProofShown(Message):
    """A proof file (C2SP tlog-proof)."""

    proof: ProofText


class FindProof(Query, type="audit.query.find-proof", permission="audit:read", answers=ProofShown):
    """Of one entry of the caller's organization, in the tree of the last checkpoint."""

    event_id: EntryId


class TileShown(Message):
    """So many hashes, joined, in base 64."""

    hashes: Base64


class FindTile(OfTrail, type="audit.query.find-tile", permission="audit:read", answers=TileShown):
    """A tile as C2SP tlog-tiles have it; without `width` as wide as it is by now."""

    level: Annotated[Count, Field(le=7)]
    index: Annotated[Count, Field(lt=2**53)]
    width: Annotated[Count, Field(ge=1, le=256)] | None = None


class KeyShown(Message):
    """The signer's, or that of a witness, which signs checkpoints along. For the operator alone of
    a witness: when it signed last, and how many trails have a checkpoint that it has not signed."""

    verifier_key: VerifierKey
    of: Literal["signer", "witness"]
    cosigned_at: Moment | None = None
    behind: Count | None = None


class FindVerifierKeys(PageQuery, type="audit.query.find-verifier-keys", answers=Page[KeyShown]):
    """Public: with these keys checkpoints and digests are verified."""


class ResumeSigning(
    Command, type="audit.command.resume-signing", permission="instance", answers=CheckpointShown
):
    """Sign again for a trail that was refused, if it goes on now from what was signed last."""

    trail: TrailId


# -- digests ---------------------------------------------------------------------------------------


class Counted(Message):
    """A producer in a digest: numbers `first` to `last` were taken since the one before."""

    producer: Word
    incarnation: Count
    head: Count | None
    first: Count
    last: Count
    count: Count
    missing: Count
    complete: Flag


class DigestShown(Message):
    """`note` is signed; `previous` and `body` are SHA-256 in base 64, of the note before and of
    the numbers. `producers` is for the operator, null for everybody else."""

    number: Count
    from_at: Moment
    to_at: Moment
    complete: Flag
    note: NoteText
    producers: list[Counted] | None


class FindDigests(
    PageQuery, type="audit.query.find-digests", permission="audit:read", answers=Page[DigestShown]
):
    """One an hour, also when nothing happened."""


# -- exports ---------------------------------------------------------------------------------------


class ExportTrail(
    Command, type="audit.command.export-trail", permission="audit:export", answers=OperationShown
):
    """The organization's entries of a time, without a hole: `jsonl` is docs/trail-format.md §6,
    `ocsf` an event of OCSF a line. The result is made when it is read, for a day."""

    format: ExportFormat
    from_at: Moment
    to_at: Moment


class FindExport(Query, type="audit.query.find-export", permission="audit:export",
                 answers=OperationShown):  # fmt: skip
    """The caller's own."""

    operation_id: OperationId


class ExportPart(Message):
    """`text` begins at `start` of `total` bytes; `tag` is the same as long as the result is."""

    text: ExportText
    start: Count
    total: Count
    tag: Digest


class ReadExport(Query, type="audit.query.read-export", permission="audit:export",
                 answers=ExportPart):  # fmt: skip
    """The part in which this byte is."""

    operation_id: OperationId
    at: Count = 0
