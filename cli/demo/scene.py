"""What all parts of the demo have in hand: the installation, its API, the receiver, the teller."""

import time
from collections.abc import Callable
from typing import TypeVar

from cli.client import Api
from cli.demo import counts
from cli.demo.failed import DemoFailed, Interrupted
from cli.demo.notes import Notes
from cli.demo.receiver import Receiver
from cli.demo.telling import Teller
from cli.installation import Installation
from cli.store import Stores
from cli.up import Stop

T = TypeVar("T")
POLL_S = 0.05
WITHIN_S = 30.0


class Scene:
    """`api` speaks for the operator once preparing has signed in."""

    def __init__(
        self, installation: Installation, receiver: Receiver, notes: Notes, teller: Teller,
        stop: Stop, begun: float, *, pause: bool,
    ) -> None:  # fmt: skip
        self.installation, self.receiver, self.notes = installation, receiver, notes
        self.teller, self.begun, self.pause = teller, begun, pause
        self._stop = stop
        self.api = Api(installation.address)
        self.stores = Stores(installation.folder.path)
        self.organization = ""
        self.hook_secret = ""
        self.delivery_secret = ""
        self.since: counts.Heads = {}

    def breathe(self, seconds: float) -> None:
        """Waits; raises Interrupted when the user wants the end."""
        if not self._stop.asked:
            time.sleep(seconds)
        if self._stop.asked:
            raise Interrupted

    def until(self, look: Callable[[], T | None], missing: str, within_s: float = WITHIN_S) -> T:
        """What `look` finds, asked again until then; `missing` says what it is."""
        deadline = time.monotonic() + within_s
        while (found := look()) is None:
            if time.monotonic() > deadline:
                raise DemoFailed(f"{missing} within {within_s:g} s; {self.hint}")
            self.breathe(POLL_S)
        return found

    @property
    def hint(self) -> str:
        return (
            f"look into {self.installation.folder.logs}, "
            f"or remove {self.installation.folder.path} and run it again"
        )

    def remember_where_the_logs_stand(self) -> None:
        """What is counted later is what comes after this."""
        self.since = counts.heads(self.stores)
