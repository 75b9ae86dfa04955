"""Numbers that a producer can't show are told, passed, and entered when they come after all."""

from libs.common.eventstore import stream_of
from libs.common.testing import eventually
from services.audit.completeness import close_gaps
from services.audit.contract import FindTaken

from .conftest import ONE, World


async def lose(world: World, numbers: str) -> None:
    """Events are cut out of the producer's log, and the bus has lost them too."""
    await world.audit.stop()
    await world.note(10)
    await world.wait_published(10)
    world.in_log_of("executor", "create table put_away as select * from log")
    world.in_log_of("executor", f"delete from log where n in ({numbers})")
    await world.producers["executor"].bus.js.delete_stream("EXECUTOR")
    await world.restart_audit()


async def test_numbers_that_nobody_has_are_a_gap_and_stop_nothing_behind_them(
    world: World,
) -> None:
    await lose(world, "4, 5, 6")
    seen = await eventually(world.of, lambda p: p.last == 10)
    assert not seen.complete
    assert (seen.head, seen.count) == (10, 7)
    shown = await eventually(world.of, lambda p: len(p.gaps) > 0)
    assert [(gap.first, gap.last) for gap in shown.gaps] == [(4, 6)]
    await world.note(5)
    await eventually(world.of, lambda p: p.last == 15)
    assert not (await world.completeness()).complete


async def test_a_tail_that_was_cut_off_is_a_gap(world: World) -> None:
    await lose(world, "9, 10")
    seen = await eventually(world.of, lambda p: len(p.gaps) > 0)
    assert [(gap.first, gap.last) for gap in seen.gaps] == [(9, 10)]
    assert (seen.last, seen.count) == (10, 8)


async def test_numbers_that_expired_are_no_gap(world: World) -> None:
    await world.audit.stop()
    first, _, last = await world.note(3), await world.note(4), await world.note(2)
    await world.wait_published(9)
    for execution in (first, last):
        stream = stream_of("execution", ONE, execution)
        world.in_log_of("executor", f"select expire_streams(array['{stream}'], 9)")
    await world.producers["executor"].bus.js.delete_stream("EXECUTOR")
    await world.restart_audit()
    seen = await eventually(world.of, lambda p: p.last == 9)
    assert (seen.head, seen.count, seen.gaps) == (9, 4, [])
    await world.note(5)
    await eventually(world.of, lambda p: (p.last, p.count) == (14, 9))


async def test_a_producer_is_told_up_to_where_the_trail_has_its_numbers(world: World) -> None:
    await world.note(10)
    await world.complete()
    assert (await world.ask(FindTaken(producer="executor")))["upto"] == 10
    assert await world.ask(FindTaken(producer="nobody")) == {"incarnation": 0, "upto": 0}
    await world.audit.stop()
    await world.note(3)
    await world.wait_published(13)
    await world.restart_audit()
    found = lambda: world.ask(FindTaken(producer="executor"))  # noqa: E731 - local
    await eventually(found, lambda said: said["upto"] == 13)


async def test_a_gap_is_closed_when_its_numbers_come_after_all(world: World) -> None:
    await lose(world, "4, 5, 6")
    await eventually(world.of, lambda p: len(p.gaps) > 0)
    await close_gaps(world.audit, world.parts.writer)
    assert len((await world.of()).gaps) == 1
    world.in_log_of("executor", "insert into log select * from put_away where n in (4, 6)")
    await close_gaps(world.audit, world.parts.writer)
    shown = await world.of()
    assert (len(shown.gaps), shown.count) == (1, 9)
    world.in_log_of("executor", "insert into log select * from put_away where n = 5")
    await close_gaps(world.audit, world.parts.writer)
    shown = await world.complete()
    assert next(p.count for p in shown.producers if p.producer == "executor") == 10
    assert next(p.count for p in shown.producers if p.producer == "audit") == 2


async def test_audits_own_events_are_entered_once_and_cause_no_others(world: World) -> None:
    await lose(world, "4")
    await eventually(world.of, lambda p: len(p.gaps) > 0)
    own = await eventually(lambda: world.of("audit"), lambda p: p.complete)
    assert (own.head, own.count) == (1, 1)
    await world.note(50)
    await eventually(world.of, lambda p: p.last == 60)
    await world.restart_audit(forget_consumers=True)
    await eventually(world.of, lambda p: p.head == 60)
    again = await world.of("audit")
    assert (again.head, again.count) == (1, 1)
