"""Messages on the bus hold at most a hundred events and 600 kB, and every event in order."""

from datetime import UTC, datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from libs.common.messages import Recorded, encode_batch
from libs.common.relay import MESSAGE_BYTES_MAX, MESSAGE_EVENTS_MAX, pack
from libs.common.streams import subject_of

PAYLOAD_MAX = 1_048_576  # what nats-server takes


def _event(n: int, size: int) -> Recorded:
    return Recorded(
        id="0" * 36, source="/services/x", type="x.event.y", subject="s", sequence=n,
        time=datetime(2026, 1, 1, tzinfo=UTC), organization="org_1", streamversion=1, actor="a",
        data=msgspec.Raw(b'"' + b"x" * size + b'"'),
    )  # fmt: skip


@given(st.lists(st.sampled_from([2, 500, 50_000, 262_144, 700_000]), max_size=40))
def test_every_event_is_packed_once_in_order_and_no_message_is_too_large(sizes: list[int]) -> None:
    events = [_event(n, size) for n, size in enumerate(sizes, 1)]
    packed = pack(events)
    assert [e.sequence for message in packed for e in message] == [e.sequence for e in events]
    for message in packed:
        assert 1 <= len(message) <= MESSAGE_EVENTS_MAX
        assert len(encode_batch(message)) <= (MESSAGE_BYTES_MAX if message[1:] else PAYLOAD_MAX)


def test_small_events_share_messages_of_a_hundred() -> None:
    packed = pack([_event(n, 10) for n in range(1, 251)])
    assert [len(message) for message in packed] == [100, 100, 50]


def test_nothing_packs_to_nothing() -> None:
    assert pack([]) == []


def test_each_partition_of_a_log_has_its_subject() -> None:
    assert subject_of("executor") == "executor.event.batch.0"
    assert subject_of("executor", 3) == "executor.event.batch.3"
