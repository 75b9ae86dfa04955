"""`troth workflows`, `reviews`, `invitations`, `files`, `executions forget`, as people use them."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests_support.api import YAML, Api
from tests_support.commands import troth, value
from tests_support.meetings import new
from tests_support.stack import until
from tests_support.world import World, greeter


def drafted(api: Api, name: str) -> str:
    headers = {"content-type": YAML}
    return api.post("/v1/workflows", content=greeter(name).encode(), headers=headers)["id"]


def saved(api: Api, name: str, text: str) -> None:
    tag = api.ask("GET", f"/v1/workflows/{name}").headers["etag"]
    headers = {"content-type": YAML, "If-Match": tag}
    answer = api.ask("PUT", f"/v1/workflows/{name}/draft", content=text.encode(), headers=headers)
    assert answer.status_code == 200, answer.text


@pytest.fixture
def shared(world: World) -> str:
    """A published workflow whose draft says something else; its name."""
    owner, name = world.home.owner, new("shared")
    drafted(owner, name)
    said = troth(world, "workflows", "publish", name)
    assert said == f"{name} version 1 is published\n"
    saved(owner, name, greeter(name).replace("Hello", "Goodbye") + "timeout: 1h\n")
    return name


def test_versions_are_compared_and_brought_back(world: World, shared: str) -> None:
    lines = troth(world, "workflows", "diff", shared).splitlines()
    assert lines[0] == f"{shared}: 1 → draft"
    assert lines[1] == "~ step greeting"
    assert "Hello" in lines[2] and "Goodbye" in lines[2]
    assert lines[3] == "~ setting /timeout: - → 1h"
    troth(world, "workflows", "publish", shared, "--note", "politer")
    assert value(world, "workflows", "diff", shared, "2")["old"] == 1
    assert "no difference" in troth(world, "workflows", "diff", shared)
    said = troth(world, "workflows", "rollback", shared)
    assert said == f"{shared} version 3 is published (what version 1 was)\n"
    versions = world.home.owner.get(f"/v1/workflows/{shared}/versions/3")
    assert versions["document"] == greeter(shared)
    assert "nothing-to-publish" in troth(
        world, "workflows", "rollback", shared, "--to", "1", fails=True
    )
    assert any(line.split()[:1] == [shared] for line in troth(world, "workflows").splitlines())
    assert troth(world, "workflows", "disable", shared) == f"{shared} disabled\n"
    assert troth(world, "workflows", "enable", shared) == f"{shared} enabled\n"


def test_a_gate_is_set_and_its_differences_are_accepted(world: World, shared: str) -> None:
    owner = world.home.owner
    execution = owner.post(f"/v1/workflows/{shared}/executions", {"input": {}})["execution"]
    workflow = owner.get(f"/v1/workflows/{shared}")["id"]
    ended = f"/v1/executions?workflow={workflow}&outcome=succeeded"
    until(lambda: owner.get(ended)["data"])
    said = troth(world, "workflows", "publishing", shared, "--golden-replay", "5")
    assert said == "golden replay: the last 5 executions\n"
    refused = troth(world, "workflows", "publish", shared, fails=True)
    assert "golden-replay-differs" in refused
    assert f"{execution} differs at greeting (result)" in refused
    troth(world, "workflows", "publish", shared, "--accept-differences")
    assert value(world, "workflows", "publishing", shared)["golden_replay"] == 5
    assert "review: not needed" in troth(world, "workflows", "publishing")


def test_a_review_is_asked_for_and_decided(world: World, shared: str) -> None:
    made = value(world, "reviews", "request", shared, "--note", "please")
    listed = troth(world, "reviews", "--workflow", shared).splitlines()
    assert listed[0].startswith("REVIEW") and made["id"] in listed[1] and "please" in listed[1]
    assert "own-change" in troth(world, "reviews", "approve", made["id"], fails=True)
    builder = world.member("reads", "builder")
    said = troth(world, "reviews", "reject", made["id"], "--comment", "no", as_=builder)
    assert said == f"{made['id']} rejected\n"
    shown = troth(world, "reviews", "show", made["id"])
    assert "rejected" in shown and "no" in shown


def test_an_invitation_is_made_listed_and_withdrawn(world: World) -> None:
    email = f"{new('guest')}@example.com"
    first, link = troth(world, "invitations", "create", email, "--role", "runner").splitlines()
    invitation = first.split()[0]
    assert "/join?token=" in link
    (line,) = [row for row in troth(world, "invitations").splitlines() if email in row]
    assert invitation in line and "runner" in line
    assert troth(world, "invitations", "withdraw", invitation) == f"{invitation} withdrawn\n"
    assert email not in troth(world, "invitations")


def test_an_execution_is_forgotten(world: World, shared: str) -> None:
    owner = world.home.owner
    execution = owner.post(f"/v1/workflows/{shared}/executions", {"input": {}})["execution"]
    until(lambda: owner.get(f"/v1/executions/{execution}")["outcome"])
    said = troth(world, "executions", "forget", execution, "--yes")
    assert said == f"{execution} forgotten\n"
    assert owner.ask("GET", f"/v1/executions/{execution}").status_code == 404
    assert "not-found" in troth(world, "executions", "forget", execution, "--yes", fails=True)


def test_a_file_is_sent_and_read(world: World, tmp_path: Path) -> None:
    source, copy = tmp_path / "paper.pdf", tmp_path / "copy.pdf"
    source.write_bytes(bytes(range(256)) * 2000)
    sent: Any = json.loads(troth(world, "files", "send", str(source)))
    assert (sent["media_type"], sent["size_bytes"]) == ("application/pdf", 512_000)
    troth(world, "files", "get", sent["$file"], "-o", str(copy))
    assert copy.read_bytes() == source.read_bytes()
