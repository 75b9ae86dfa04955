"""What of a log holds when an execution is done again from a step: pure, by the document's order.

Kept is what was recorded before the step in the order of the walk: earlier steps with everything
inside them, decisions and lists of the blocks around it, other items of the loops around it, other
branches of a `parallel`. Done anew are the step, all after it, and the results of the blocks
around it.
"""

from collections.abc import Iterable, Sequence
from itertools import takewhile

from libs.common.errors import FieldProblem
from libs.language.document import Document
from libs.language.steps import ApprovalStep, ForEachStep, Pages, ParallelStep, PythonStep, TryStep
from services.executor.contract import UnknownStep
from services.executor.outline import Stand, named_blocks, outline
from services.executor.paths import Place, place_of
from services.executor.state import Going


class Fork:
    """Which recorded paths of a document hold when it goes on from `from_step`.

    Raises UnknownStep for what is no step, has more numbers than loops, or is in `on_error`.
    """

    def __init__(self, document: Document, from_step: str | None) -> None:
        self._stands = outline(document)
        self._target = None if from_step is None else self._found(from_step)

    def _found(self, from_step: str) -> Place:
        try:
            target = place_of(from_step)
        except ValueError:
            raise UnknownStep(f"{from_step!r} is no step; write its id, or post[3]") from None
        stand = self._stands.get(target.id)
        if stand is None or target.mark or target.part:
            raise UnknownStep(f"there is no step {from_step!r} in this version")
        if stand.last:
            raise UnknownStep(f"{target.id} is in on_error, which nothing can begin at")
        room = len(stand.loops) + isinstance(stand.step, ForEachStep)
        if len(target.numbers) > room:
            raise UnknownStep(f"{from_step!r} has more numbers than loops around it")
        return target

    def keeps(self, path: str) -> bool:
        place = place_of(path)
        stand = self._stands.get(place.id)
        if self._target is None or stand is None or stand.last:
            return False
        if isinstance(stand.step, PythonStep) and place.part is not None:
            return False  # a call: the code's own result tells it
        target = self._stands[self._target.id]
        chain, aim = _chain(place.id, stand), _chain(self._target.id, target)
        if self._other_item(place, stand):
            return True
        common = len(
            list(takewhile(lambda pair: pair[0] == pair[1], zip(chain, aim, strict=False)))
        )
        if common == len(aim):
            return place.id == self._target.id and self._of_another_item(place)
        here, there = chain[common], aim[common]
        if here[0] != there[0]:
            return self._stands[here[0]].number < self._stands[there[0]].number
        if not there[1]:  # inside the step itself
            return False
        if common == len(chain) - 1:  # a part of a block around the step
            return self._around(place, stand, there[1])
        return self._earlier(here[0], here[1], there[1])

    def _other_item(self, place: Place, stand: Stand) -> bool:
        """Whether it belongs to another item of a loop that is around both."""
        assert self._target is not None, "without a step nothing is kept"
        target = self._stands[self._target.id]
        shared = sum(one == other for one, other in
                     takewhile(lambda pair: pair[0] == pair[1],
                               zip(_loops(place.id, stand), _loops(self._target.id, target),
                                   strict=False)))  # fmt: skip
        both = zip(place.numbers[:shared], self._target.numbers[:shared], strict=False)
        return any(mine != wanted for mine, wanted in both)

    def _of_another_item(self, place: Place) -> bool:
        """Of the loop itself, when one item is done anew: its list, and other items."""
        assert self._target is not None, "without a step nothing is kept"
        stand = self._stands[self._target.id]
        if not isinstance(stand.step, ForEachStep):
            return False
        return (
            len(self._target.numbers) > len(stand.loops) and place.numbers != self._target.numbers
        )

    def _around(self, place: Place, stand: Stand, block: str) -> bool:
        """What is recorded of a block around the step: its list and decision, not its result."""
        if isinstance(stand.step, ForEachStep):
            return len(place.numbers) == len(stand.loops)  # the list, or a page
        if place.mark == "branch":
            return True
        if place.mark == "caught":
            return block != "try"
        return isinstance(stand.step, ParallelStep) and place.part not in (None, block)

    def _earlier(self, name: str, block: str, aim: str) -> bool:
        """Of another block of the same step: branches of a parallel stand beside each other, the
        parts of a try behind each other."""
        step = self._stands[name].step
        if isinstance(step, ParallelStep):
            return True
        order = [one for one, _ in named_blocks(step)]
        return isinstance(step, TryStep) and order.index(block) < order.index(aim)


def _chain(name: str, stand: Stand) -> list[tuple[str, str]]:
    return [*stand.around, (name, "")]


def _loops(name: str, stand: Stand) -> tuple[str, ...]:
    return (*stand.loops, name) if isinstance(stand.step, ForEachStep) else stand.loops


def undone_before(fork: Fork, state: Going) -> list[FieldProblem]:
    """Kept results whose effect was undone since: nothing may lean on them."""
    return [
        FieldProblem(
            pointer=path, rule="undone",
            detail=f"{path} was undone, so its result does not hold; begin there or before it",
        )
        for path, one in state.undos.items()
        if one.ended is not None and one.ended.outcome == "done" and fork.keeps(path)
    ]  # fmt: skip


def agreed_before(document: Document, kept: Iterable[str]) -> list[FieldProblem]:
    """Kept results that people gave: they said nothing about another input."""
    stands = outline(document)
    return [
        FieldProblem(
            pointer=path, rule="approval",
            detail=f"{path} was decided about the input as it was; begin there or before it",
        )
        for path in kept if isinstance(stands[place_of(path).id].step, ApprovalStep)
    ]  # fmt: skip


def incompatible(old: Document, new: Document, paths: Iterable[str]) -> list[FieldProblem]:
    """Why what was recorded by one version can't be taken by another; nothing when it can."""
    was, now = outline(old), outline(new)
    problems: list[FieldProblem] = []

    def problem(name: str, rule: str, detail: str) -> None:
        problems.append(FieldProblem(pointer=name, rule=rule, detail=f"{name} {detail}"))

    for name in dict.fromkeys(place_of(path).id for path in paths):
        before, after = was.get(name), now.get(name)
        if before is None:
            continue
        if after is None:
            problem(name, "step-gone", "has run, and is not in the other version")
        elif type(after.step) is not type(before.step):
            problem(name, "kind-changed", "has run, and is of another kind there")
        elif after.around != before.around or after.last != before.last:
            problem(name, "step-moved", "has run, and stands elsewhere there")
        elif _shape(after) != _shape(before):
            problem(name, "blocks-changed", "has run, and has other blocks or another list there")
    return problems


def inserted(old: Document, new: Document, paths: Sequence[str]) -> list[FieldProblem]:
    """Steps of the new version that stand before one that has run, and have not run."""
    was, now = outline(old), outline(new)
    ran = {place_of(path).id for path in paths}
    last: dict[tuple[object, ...], int] = {}
    for name in ran & now.keys():
        stand = now[name]
        key = (stand.around, stand.last)
        last[key] = max(last.get(key, -1), stand.number)
    return [
        FieldProblem(
            pointer=name, rule="step-inserted",
            detail=f"{name} is new there, and stands before a step that has run",
        )
        for name, stand in now.items()
        if name not in was and stand.number < last.get((stand.around, stand.last), -1)
    ]  # fmt: skip


def _shape(stand: Stand) -> tuple[object, ...]:
    """What recorded parts of a step depend on."""
    step, names = stand.step, tuple(name for name, _ in named_blocks(stand.step))
    if isinstance(step, ForEachStep):
        keeps = step.block.output is not None or step.failures == "collect"
        return (names, isinstance(step.items, Pages), keeps, step.failures)
    if isinstance(step, ParallelStep):
        return (tuple(sorted(names)), step.failures)
    return (names,)
