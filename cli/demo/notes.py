"""What the demo keeps in its data folder for the next run, readable by its owner only."""

import json
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from libs.embedded.durability import write_private
from libs.embedded.folder import free_port, is_free

FILE = "demo.json"


@dataclass(frozen=True, repr=False)
class Notes:
    """The demo's operator with the password, and the port of its receiver."""

    folder: Path
    email: str
    password: str
    port: int

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Those of the last run, else new ones; `folder` is locked by this process."""
        file = folder / FILE
        if file.exists():
            notes = cls(folder, **json.loads(file.read_text()))
            return notes if is_free(notes.port) else replace(notes, port=free_port())
        return cls(folder, "ada@demo.example", secrets.token_urlsafe(18), free_port())

    @property
    def file(self) -> Path:
        return self.folder / FILE

    def kept(self) -> Self:
        """Written before anything is signed up with them, so that a cut run can go on."""
        known = asdict(self)
        del known["folder"]
        write_private(self.file, json.dumps(known, indent=1))
        return self
