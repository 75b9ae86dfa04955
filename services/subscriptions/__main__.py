"""Runs subscriptions as a process of its own: `python -m services.subscriptions`."""

from libs.common.process import run
from services.subscriptions.app import build
from services.subscriptions.contract import SERVICE
from services.subscriptions.settings import SubscriptionSettings

if __name__ == "__main__":
    settings = SubscriptionSettings()  # pyright: ignore[reportCallIssue] - from the environment
    run(SERVICE, [build(settings)], settings)
