"""`troth executions` and `troth approvals` against a running installation."""

from tests_support.commands import troth, value
from tests_support.stack import until
from tests_support.world import World, asked


def test_what_waits_is_listed_and_decided(world: World) -> None:
    execution, approval = asked(world.home.owner, world.home.ids["asks"], 41)
    (line,) = [row for row in troth(world, "approvals").splitlines() if approval in row]
    assert execution in line and "Pay 41" in line
    assert value(world, "approvals", "show", approval)["status"] == "pending"
    said = troth(world, "approvals", "approve", approval, "--comment", "go")
    assert said == f"{approval} approved; 1 of 1 approve\n"
    until(lambda: value(world, "executions", "show", execution)["execution"]["outcome"])
    refused = troth(world, "approvals", "reject", approval, fails=True)
    assert "already-decided" in refused or "approval-closed" in refused


def test_executions_are_paused_resumed_and_cancelled_one_or_many(world: World) -> None:
    owner, asks = world.home.owner, world.home.ids["asks"]
    execution, _ = asked(owner, asks)
    assert troth(world, "executions", "pause", execution).split() == [execution, "paused"]
    resumed = troth(world, "executions", "resume", execution).split()
    assert resumed[0] == execution and resumed[1] != "paused"
    until(lambda: owner.get(f"/v1/executions/{execution}")["status"] == "waiting")
    many = ("executions", "cancel", "--workflow", asks, "--status", "waiting")
    count = value(world, *many, "--dry-run")["count"]
    assert count >= 1
    assert troth(world, *many, "--dry-run") == f"{count} executions\n"
    assert f"succeeded: {count} of {count}" in troth(world, *many)
    until(lambda: owner.get(f"/v1/executions/{execution}")["status"] == "cancelled")
    assert "name one execution" in troth(world, "executions", "cancel", fails=True)
    assert troth(world, "executions", "effects", execution).startswith("STEP")
