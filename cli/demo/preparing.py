"""Before the call: sign in, the receiver's address, the secret, the subscription, the workflow."""

import base64
import secrets
from pathlib import Path
from typing import Any

from cli import apply
from cli.client import Api, Refused
from cli.demo.failed import DemoFailed
from cli.demo.receiver import EVENTS, PACKAGES
from cli.demo.scene import Scene

DOCUMENT = Path(__file__).parents[2] / "examples" / "dependency-review.yaml"
EVENT = "executor.event.execution-finished"
SECRET = "dependency_review"  # noqa: S105 - the name of a secret, not its value
WAIT = b"wait: {for: 2s}"
NAME, ORGANIZATION = "Ada", "Demo"


def sign_in(scene: Scene) -> None:
    """Sets the installation up by its one-time link, or signs in with what an earlier run kept."""
    notes, address = scene.notes, scene.installation.address
    link = scene.installation.setup_link()
    if link is not None:
        person = {"name": NAME, "email": notes.email, "password": notes.password}
        token = link.rpartition("token=")[2]
        scene.api.post(
            "/v1/instance/setup", {"token": token, "organization": ORGANIZATION, **person}
        )
    try:
        opened = scene.api.post(
            "/v1/sessions", {"email": notes.email, "password": notes.password, "as": "token"}
        )
    except Refused as refused:
        if refused.code != "credential-invalid":
            raise
        raise DemoFailed(
            f"{notes.email} cannot sign in: {notes.folder} was set up by somebody else; "
            "remove the folder, or name another one with --data"
        ) from None
    scene.api = Api(address, opened["token"])
    one = scene.api.get("/v1/me")["organizations"][0]
    scene.organization = one["id"]
    did = "signed up and in" if link is not None else "signed in again"
    scene.teller.say(f"{did} over HTTP: {notes.email}, organization {one['slug']} ({one['id']})")


def publish(scene: Scene, wait_s: int) -> None:
    """The workflow of the examples, with what it needs; published only when it is not yet."""
    api, url = scene.api, scene.receiver.url
    api.ask("PUT", "/v1/variables/receiver", json={"value": f"{url}{PACKAGES}"})
    scene.hook_secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    api.ask("PUT", f"/v1/secrets/{SECRET}", json={"value": scene.hook_secret})
    text = DOCUMENT.read_bytes()
    if text.count(WAIT) != 1:
        raise DemoFailed(f"{DOCUMENT} does not wait for 2 s: restore it from the repository")
    text = text.replace(WAIT, f"wait: {{for: {wait_s}s}}".encode())
    file = apply.File(DOCUMENT, text, "application/yaml")
    checked = apply.check(api, file)
    if not checked["ok"]:
        raise DemoFailed("\n".join(file.lines(checked["problems"])) or str(checked))
    done = apply.publish(api, file, "for the demo")
    if not done["ok"]:
        raise DemoFailed(f"{DOCUMENT.name} was refused: {done['problem'].get('detail')}")
    scene.teller.say(
        f"{done['name']} version {done['version']} {_did(done)}; variable `receiver` and secret "
        f"`{SECRET}` stored"
    )


def _did(done: dict[str, Any]) -> str:
    return "published" if done["did"] == "published" else "is published already"


def subscribe(scene: Scene) -> None:
    """A new event subscription at the receiver; those of earlier runs go."""
    api, url = scene.api, f"{scene.receiver.url}{EVENTS}"
    for old in api.get("/v1/event-subscriptions", limit=200)["data"]:
        path = f"/v1/event-subscriptions/{old['id']}"
        tag = api.ask("GET", path).headers["etag"]
        api.ask("DELETE", path, headers={"if-match": tag})
    made = api.post("/v1/event-subscriptions", {"url": url, "types": [EVENT]})
    scene.delivery_secret = made["signing_secret"]
    scene.teller.say(f"subscribed to {EVENT} at {url}")
