"""Files in the values of an execution: referred to before the commit that takes the value."""

from typing import Any

import msgspec

from services.executor.facts import Facts
from services.executor.file_values import referred


class Referring(Facts):
    """Facts that know which files they name."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.named: frozenset[str] = frozenset()  # in values that no commit has taken yet
        self._kept: frozenset[str] = frozenset()

    def seal(self, value: Any) -> str:
        encoded = msgspec.json.encode(value)
        self.named |= referred(encoded)
        return self.key.seal_bytes(encoded, self.stream)

    def _decision(self, *args: Any, **more: Any) -> Any:
        made = super()._decision(*args, **more)
        made.files, self.named = self.named - self._kept, frozenset()
        self._kept |= made.files
        return made
