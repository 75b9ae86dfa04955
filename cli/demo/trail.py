"""The end of the demo: its trail in a file, which verifies while nothing of Troth runs any more."""

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from cli.demo.failed import DemoFailed
from cli.demo.running import Run
from cli.demo.scene import Scene
from cli.demo.telling import Teller
from libs.common import clock, ids
from libs.embedded.durability import write_private

FILE, MEMORY = "trail.jsonl", "trail-seen.json"
ROOT = Path(__file__).parents[2]
VERIFY_S = 30.0
LINES = "application/jsonl"


@dataclass(frozen=True)
class Taken:
    """What is taken away: the export, the key that it has to be signed with, and what the verifier
    remembers from one run of the demo to the next."""

    file: Path
    key: str
    memory: Path
    entries: int
    of_the_run: int


def take(scene: Scene, run: Run) -> Taken:
    """Exports the organization's trail over HTTP. Raises DemoFailed when it lacks an event."""
    shown, *_ = scene.api.get("/v1/audit/keys")["data"]  # the signer first, then witnesses
    asked = {
        "format": "jsonl", "from": "2020-01-01T00:00:00Z",
        "to": (clock.now() + timedelta(minutes=1)).isoformat(),
    }  # fmt: skip
    made = scene.api.post("/v1/audit/exports", asked, prefer="wait=20")
    if made["status"] != "succeeded":
        raise DemoFailed(f"the trail was not exported: {made}; {scene.hint}")
    path = f"/v1/operations/{made['id']}/result"
    text = scene.api.ask("GET", path, headers={"accept": LINES}).text
    entries = [json.loads(line) for line in text.splitlines()[1:-1]]
    there = {entry["fields"]["id"].get("value") for entry in entries if "fields" in entry}
    mine = _events_of(scene, run)
    if missing := mine - there:
        raise DemoFailed(f"the trail lacks {len(missing)} events of the execution; {scene.hint}")
    folder = scene.installation.folder.path
    write_private(folder / FILE, text)
    return Taken(folder / FILE, shown["verifier_key"], folder / MEMORY, len(entries), len(mine))


def _events_of(scene: Scene, run: Run) -> set[str]:
    """The public ids of the execution's events, from the log of the executor."""
    stream = f"execution-{scene.organization}-{run.execution}"
    with scene.stores.read("executor") as connection:
        rows = connection.execute("select id from log where stream = %s", (stream,)).fetchall()
    return {ids.public("evt", id_) for (id_,) in rows}


def verified(taken: Taken, teller: Teller) -> str:
    """Says what `troth audit verify` says of the file, and of one with a changed word.

    What is added to the last line. Raises DemoFailed unless the file is sound and the other is not.
    """
    sound = _verify(taken, taken.file)
    if sound.returncode != 0:
        raise DemoFailed(f"the trail does not verify: {sound.stdout}{sound.stderr}")
    teller.say(f"  verified   {taken.file.name}, all {taken.of_the_run} events of the execution,"
               f" by `troth audit verify` alone: {sound.stdout.strip()}")  # fmt: skip
    changed = taken.file.with_name(f"changed-{FILE}")
    try:
        write_private(changed, _with_a_changed_word(taken.file.read_text()))
        wrong = _verify(taken, changed)
    finally:
        changed.unlink(missing_ok=True)
    if wrong.returncode != 1 or "field outcome" not in wrong.stdout:
        raise DemoFailed(f"a changed outcome was not noticed: {wrong.stdout}{wrong.stderr}")
    teller.say(f"  changed    one outcome in it, and that is said: {wrong.stdout.splitlines()[0]}")
    return f"verified={taken.entries}"


def _with_a_changed_word(text: str) -> str:
    """The last shown outcome says the opposite."""
    lines = text.splitlines()
    for at in range(len(lines) - 2, 0, -1):
        entry: dict[str, Any] = json.loads(lines[at])
        if "value" in (outcome := entry.get("fields", {}).get("outcome", {})):
            outcome["value"] = "success" if outcome["value"] != "success" else "failure"
            lines[at] = json.dumps(entry)
            return "".join(f"{line}\n" for line in lines)
    raise DemoFailed("no entry of the trail shows its outcome")


def _verify(taken: Taken, file: Path) -> "subprocess.CompletedProcess[str]":
    """`troth audit verify` as a process that gets a file, a key and what it remembers."""
    command = [sys.executable, "-m", "cli.main", "audit", "verify", "export", str(file),
               "--key", taken.key, "--memory", str(taken.memory)]  # fmt: skip
    try:
        return subprocess.run(
            command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
            timeout=VERIFY_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise DemoFailed(f"the verifier did not end within {VERIFY_S:g} s") from None
