"""Where the steps of a document stand: the loops and branches around each, by step id."""

from collections.abc import Container

from libs.language.document import Document
from libs.language.steps import Block, ForEachStep, ParallelStep, blocks_in

Around = tuple[tuple[str, bool], ...]


class Places:
    """Of one document. `around` has, per step, what is around it from the outside in: the id of a
    loop (True), or the path of a parallel branch (False)."""

    def __init__(self, document: Document) -> None:
        self.around: dict[str, Around] = {}
        self._walk(document.block, ())
        if document.on_error is not None:
            self._walk(document.on_error, ())

    def _walk(self, block: Block, around: Around) -> None:
        for step in block.steps:
            self.around[step.id] = around
            match step:
                case ForEachStep():
                    self._walk(step.block, (*around, (step.id, True)))
                case ParallelStep():
                    for name, inner in step.branches.items():
                        self._walk(inner, (*around, (f"{step.id}.{name}", False)))
                case _:
                    for inner in blocks_in(step):
                        self._walk(inner, around)

    def taken_in(self, path: str, results: Container[str]) -> bool:
        """Whether an item or branch around the step has its own result, so that nobody asks for
        the step's any more."""
        name, _, rest = path.partition("[")
        name = name.partition("#")[0].partition(".")[0]
        numbers = [f"[{n}" for n in f"[{rest}".split("[")[1:]] if rest else []
        place, loops = "", iter(numbers)
        for outer, is_loop in self.around.get(name, ()):
            if is_loop:
                place += next(loops, "")
            if f"{outer}{place}" in results:
                return True
        return False
