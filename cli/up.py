"""`troth up`: everything on this machine, until Ctrl-C."""

import logging
import signal
import time
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from cli.output import fail

if TYPE_CHECKING:
    from cli.installation import Installation

GRACE_S = 15.0
POLL_S = 0.2


class Stop:
    """The first signal asks for the end, the second one does not wait for it."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._came)

    def _came(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


@click.command()
@click.option("--data", default=".troth", show_default=True, type=click.Path(path_type=Path),
              help="Folder of all data; made when it is not there.")  # fmt: skip
@click.option("--executors", default=1, show_default=True, type=click.IntRange(1, 64),
              help="Processes that run executions.")  # fmt: skip
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535),
              help="Where the API listens on 127.0.0.1; 0 takes a free one.")  # fmt: skip
@click.option("--sign-up", default="open", show_default=True, help="Who may register.",
              type=click.Choice(["open", "invited", "closed"]))  # fmt: skip
@click.option("--allow", multiple=True, metavar="HOST:PORT",
              help="An address inside that workflows may call; can be repeated.")  # fmt: skip
def up(data: Path, executors: int, port: int, sign_up: str, allow: tuple[str, ...]) -> None:
    """Run everything on this machine.

    Starts NATS and PostgreSQL in the data folder (or uses TROTH_NATS_URL and TROTH_DATABASE_URL)
    and the services on top of them. Ctrl-C ends it; all data stays in the folder.
    """
    from cli.environment import Wanted
    from cli.installation import Installation
    from libs.embedded.children import CannotStart
    from libs.embedded.folder import DataFolder, FolderRefused
    from libs.embedded.secrets import SecretsRefused

    logging.getLogger().addHandler(logging.NullHandler())
    begun = time.monotonic()
    stop = Stop()
    try:
        with DataFolder(data) as folder:
            installation = Installation(
                folder, Wanted(data, executors, port, sign_up, allow), click.echo,
                stopping=lambda: stop.asked,
            )  # fmt: skip
            try:
                installation.start()
                if not stop.asked:
                    greet(installation, time.monotonic() - begun)
                keep_running(installation, stop)
            finally:
                stop_all(installation)
    except (CannotStart, FolderRefused, SecretsRefused) as error:
        fail(str(error))


def greet(installation: "Installation", seconds: float) -> None:
    """Where it is, and how to get in."""
    link = installation.setup_link()
    click.echo(f"\nTroth runs at {installation.address}  (up in {seconds:.1f} s)")
    if link is not None:
        click.echo(f"nobody operates it yet; this link works once: {link}")
    else:
        click.echo(f"sign in there, or: troth login --url {installation.address}")
    click.echo(f"data and logs: {installation.folder.path}")


def keep_running(installation: "Installation", stop: Stop) -> None:
    while not stop.asked:
        for note in installation.poll():
            click.echo(f"{note.name} {note.what}: {note.detail}", err=True)
        time.sleep(POLL_S)


def stop_all(installation: "Installation") -> None:
    begun = time.monotonic()
    if installation.supervisor.pids():
        click.echo("\nstopping …")
    try:
        installation.stop(GRACE_S)
    except KeyboardInterrupt:
        installation.stop(0.5)
    click.echo(f"stopped in {time.monotonic() - begun:.1f} s; the data is in "
               f"{installation.folder.path}")  # fmt: skip
