"""Runs identity in a process of its own."""

from libs.common.process import run
from services.identity.app import build
from services.identity.settings import IdentitySettings

if __name__ == "__main__":
    own = IdentitySettings()  # pyright: ignore[reportCallIssue] - read from the environment
    run("identity", [build(own, own)], own)
