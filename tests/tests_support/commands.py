"""The `troth` command as somebody of the home organization gives it."""

import json
import os
import subprocess
import sys
from typing import Any

from tests_support.api import Api
from tests_support.stack import ROOT
from tests_support.world import World


def troth(world: World, *words: str, fails: bool = False, as_: Api | None = None) -> str:
    """What it prints; with `fails` what it complains about."""
    who = as_ or world.home.owner
    own = {
        "PYTHONPATH": str(ROOT), "TROTH_URL": world.stack.address, "TROTH_TOKEN": who.tokens[0],
        "TROTH_ORGANIZATION": world.home.id,
    }  # fmt: skip
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TROTH_")}
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *words], env=kept | own, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stderr if fails else done.stdout


def value(world: World, *words: str) -> Any:
    return json.loads(troth(world, *words, "--json"))
