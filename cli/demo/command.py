"""`troth demo`: starts everything, runs one real workflow, kills its process, proves the rest."""

import logging
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.demo.failed import DemoFailed, Interrupted
from cli.demo.telling import Teller
from cli.output import fail
from cli.up import Stop, keep_running

if TYPE_CHECKING:
    from cli.demo.scene import Scene
    from cli.demo.trail import Taken
    from cli.installation import Installation

GRACE_S = 10.0
WAIT_S, PAUSED_WAIT_S = 2, 20


@click.command()
@click.option("--data", default=".troth-demo", show_default=True, type=click.Path(path_type=Path),
              help="Folder of the demo's data; a second run uses it again.")  # fmt: skip
@click.option("--pause", is_flag=True, help="You do the kill: it says which process, and waits.")
@click.option("--keep", is_flag=True, help="Leave it running afterwards, until Ctrl-C.")
def demo(data: Path, pause: bool, keep: bool) -> None:
    """The main job on real parts: called, killed, resumed, proved.

    Reviews the licences of what this installation depends on: a workflow that is called at a
    signed webhook, posts what it found, waits, and answers. The process that runs it is killed
    while it waits. Then the parts are asked whether all that is true, and the trail is taken away
    in a file that verifies without them. Exit code 1 when something is not so.
    """
    from cli.client import Refused
    from cli.problems import refusal_lines
    from cli.store import NotThere
    from libs.embedded.children import CannotStart
    from libs.embedded.folder import FolderRefused
    from libs.embedded.secrets import SecretsRefused

    logging.getLogger().addHandler(logging.NullHandler())
    stop, teller = Stop(), Teller()
    try:
        last = _played(data, teller, stop, pause=pause, keep=keep)
    except Interrupted:
        click.echo("interrupted; everything is stopped", err=True)
        raise SystemExit(130) from None
    except Refused as refused:
        fail("\n".join(refusal_lines(refused)) + f"\n  see the logs in {data / 'logs'}")
    except (CannotStart, FolderRefused, SecretsRefused, NotThere, DemoFailed) as error:
        fail(f"the demo failed: {error}")
    if last:
        teller.say(last, "green")


def _played(data: Path, teller: Teller, stop: Stop, *, pause: bool, keep: bool) -> str:
    """The last line when it was not said yet; whatever was started is stopped before."""
    from cli.demo.notes import Notes
    from cli.demo.receiver import Receiver
    from cli.demo.scene import Scene
    from cli.demo.trail import verified
    from cli.environment import Wanted
    from cli.installation import Installation
    from libs.embedded.folder import DataFolder

    begun = time.monotonic()
    teller.head(f"Troth demo, on real parts; data and logs are in {data}")
    with DataFolder(data) as folder:
        notes = Notes.of(folder.path)
        with Receiver(notes.port) as receiver:
            notes = replace(notes, port=receiver.port).kept()
            wanted = Wanted(
                data, executors=2, port=0, sign_up="closed", allow=(f"127.0.0.1:{receiver.port}",)
            )
            installation = Installation(folder, wanted, teller.part, stopping=lambda: stop.asked)
            try:
                installation.start()
                scene = Scene(installation, receiver, notes, teller, stop, begun, pause=pause)
                last, taken = _story(scene)
                if keep:
                    _keep(installation, scene, f"{last} {verified(taken, teller)}", stop)
            finally:
                _stop(installation)
            return "" if keep else f"{last} {verified(taken, teller)}"


def _story(scene: "Scene") -> tuple[str, "Taken"]:
    """Everything in its order; gives the last line, and the trail to verify."""
    from cli.demo import dependencies, preparing, proof, running, trail

    scene.breathe(0)
    scene.teller.say(f"up after {time.monotonic() - scene.begun:.1f} s: {scene.api.url}")
    scene.remember_where_the_logs_stand()
    preparing.sign_in(scene)
    wait_s = PAUSED_WAIT_S if scene.pause else WAIT_S
    preparing.publish(scene, wait_s)
    preparing.subscribe(scene)
    packages = dependencies.find()
    run = running.called_and_killed(scene, packages)
    last = proof.ask_the_parts(scene, packages, run)
    return last, trail.take(scene, run)


def _keep(installation: "Installation", scene: "Scene", last: str, stop: Stop) -> None:
    scene.teller.say(f"it runs on at {installation.address}/ until Ctrl-C; sign in once, within "
                     f"ten minutes, by {sign_in_link(scene)}")  # fmt: skip
    scene.teller.say(f"later as {scene.notes.email}, with the password in {scene.notes.file}")
    scene.teller.say(last, "green")
    keep_running(installation, stop)


def sign_in_link(scene: "Scene") -> str:
    """Opens the page at `/`, signed in as the demo's operator."""
    made = scene.api.post("/v1/sign-in-links")
    return f"{scene.installation.address}/sign-in?token={made['token']}"


def _stop(installation: "Installation") -> None:
    """Nothing is under way any more, so all processes are asked at once; the servers follow."""
    from cli.demo.killing import is_running_child

    servers = ("nats", "postgres")
    for name, pid in installation.supervisor.pids().items():
        if name not in servers and pid is not None and is_running_child(pid):
            os.kill(pid, signal.SIGTERM)
    try:
        installation.stop(GRACE_S)
    except KeyboardInterrupt:
        installation.stop(0.5)
