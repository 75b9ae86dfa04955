"""Four eyes, going back, sub-workflows and differences, over the real bus."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests_support.workflow_texts import calling, hello, hook, scheduled

from libs.common.errors import Conflict, DomainError, Forbidden, NotFound, Rejected
from services.workflows.contract import (
    ArchiveWorkflow,
    CompareVersions,
    DecideReview,
    DeleteSecret,
    DraftWorkflow,
    FindDraft,
    FindHook,
    FindPublishingPolicy,
    FindReview,
    FindReviews,
    FindTrigger,
    FindVersion,
    RequestReview,
    RollBackWorkflow,
    SaveDraft,
    SetPublishingPolicy,
)

ADA, BOB = "per_ada", "per_bob"


async def four_eyes(workflows: Any, review: bool = True) -> None:
    await workflows.ask(SetPublishingPolicy(review=review))


async def ask(workflows: Any, name: str, draft: int, actor: str = ADA) -> Any:
    message = RequestReview(workflow=name, draft_version=draft, note="please look")
    return (await workflows.ask(message, actor=actor)).value


async def approve(workflows: Any, review: str, actor: str = BOB, **more: Any) -> Any:
    message = DecideReview(review=review, decision="approved", **more)
    return (await workflows.ask(message, actor=actor)).value


async def draft(workflows: Any, text: str, actor: str = ADA) -> Any:
    return (await workflows.ask(DraftWorkflow(document=text, media="yaml"), actor=actor)).value


async def save(workflows: Any, text: str, version: int, actor: str = ADA) -> Any:
    message = SaveDraft(workflow="hello", document=text, media="yaml")
    return (await workflows.ask(message, actor=actor, expected_version=version)).value


@asynccontextmanager
async def refused(kind: type[DomainError], code: str) -> AsyncIterator[None]:
    with pytest.raises(kind) as caught:
        yield
    assert caught.value.code == code


async def test_an_organization_says_whether_it_wants_four_eyes(workflows: Any) -> None:
    assert (await workflows.ask(FindPublishingPolicy())).value == {
        "review": False, "golden_replay": 0, "set_at": None,
    }  # fmt: skip
    await four_eyes(workflows)
    found = (await workflows.ask(FindPublishingPolicy())).value
    assert found["review"] is True
    assert found["set_at"]
    assert (await workflows.ask(FindPublishingPolicy(), "org_two")).value["review"] is False
    await four_eyes(workflows, review=False)
    assert (await workflows.ask(FindPublishingPolicy())).value["review"] is False


async def test_with_four_eyes_a_draft_needs_an_approval_by_somebody_else(workflows: Any) -> None:
    await four_eyes(workflows)
    await draft(workflows, hello())
    async with refused(Conflict, "review-needed"):
        await workflows.publish("hello", 1)
    asked = await ask(workflows, "hello", 1)
    assert (asked["status"], asked["note"], asked["requested_by"]) == (
        "requested", "please look", ADA,
    )  # fmt: skip
    async with refused(Conflict, "review-needed"):
        await workflows.publish("hello", 2)
    async with refused(Forbidden, "own-change"):
        await approve(workflows, asked["id"], ADA)
    async with refused(Forbidden, "person-needed"):
        await approve(workflows, asked["id"], "key_1")
    decided = await approve(workflows, asked["id"], comment="fine")
    assert (decided["status"], decided["decided_by"], decided["comment"]) == (
        "approved", BOB, "fine",
    )  # fmt: skip
    assert (await workflows.ask(FindReview(review=asked["id"]))).value == decided
    async with refused(Conflict, "already-decided"):
        await approve(workflows, asked["id"])
    assert (await workflows.publish("hello", 3)).value["published"] == 1


async def test_the_last_editor_does_not_approve_either(workflows: Any) -> None:
    await four_eyes(workflows)
    await draft(workflows, hello())
    await save(workflows, hello("bob was here"), 1, BOB)
    asked = await ask(workflows, "hello", 2)
    for person in (ADA, BOB):
        async with refused(Forbidden, "own-change"):
            await approve(workflows, asked["id"], person)
    await approve(workflows, asked["id"], "per_eve")
    await workflows.publish("hello", 4)
    await save(workflows, hello("bob again"), 5, BOB)
    again = await ask(workflows, "hello", 6, BOB)
    await approve(workflows, again["id"], ADA)
    assert (await workflows.publish("hello", 8)).value["published"] == 2


async def test_a_change_after_the_approval_needs_another(workflows: Any) -> None:
    await four_eyes(workflows)
    await draft(workflows, hello())
    asked = await ask(workflows, "hello", 1)
    await approve(workflows, asked["id"])
    await save(workflows, hello("sneaked in"), 3)
    assert (await workflows.ask(FindReview(review=asked["id"]))).value["status"] == "void"
    async with refused(Conflict, "review-needed"):
        await workflows.publish("hello", 4)


async def test_a_review_covers_the_sub_workflows(workflows: Any) -> None:
    await draft(workflows, hello())
    await workflows.publish("hello", 1)
    await four_eyes(workflows)
    await draft(workflows, calling("caller", "hello", "caller"))
    asked = await ask(workflows, "caller", 1)
    assert [(c["name"], c["version"]) for c in asked["callees"]] == [("hello", 1)]
    await approve(workflows, asked["id"])
    await four_eyes(workflows, review=False)
    await save(workflows, hello("other"), 2)
    await workflows.publish("hello", 3)
    await four_eyes(workflows)
    assert (await workflows.ask(FindReview(review=asked["id"]))).value["status"] == "void"
    async with refused(Conflict, "review-needed"):
        await workflows.publish("caller", 3)


async def test_reviews_are_listed_and_stay_in_their_organization(workflows: Any) -> None:
    await draft(workflows, hello())
    first = await ask(workflows, "hello", 1)
    second = await ask(workflows, "hello", 2)
    found = (await workflows.ask(FindReviews(workflow=["hello"]))).value["data"]
    assert [(r["id"], r["status"]) for r in found] == [
        (second["id"], "requested"), (first["id"], "void"),
    ]  # fmt: skip
    async with refused(Conflict, "review-void"):
        await approve(workflows, first["id"])
    only = (await workflows.ask(FindReviews(status=["requested"], limit=1))).value["data"]
    assert [r["id"] for r in only] == [second["id"]]
    assert (await workflows.ask(FindReviews(), "org_two")).value["data"] == []
    for question in (
        FindReview(review=first["id"]),
        DecideReview(review=first["id"], decision="approved"),
    ):
        with pytest.raises(NotFound):
            await workflows.ask(question, "org_two")


async def test_a_draft_with_problems_is_not_reviewed(workflows: Any) -> None:
    await draft(workflows, hello("${{ inputt }}"))
    async with refused(Rejected, "workflow-invalid"):
        await ask(workflows, "hello", 1)


# -- sub-workflows -------------------------------------------------------------------------------


async def test_a_version_keeps_the_sub_workflows_that_were_published_then(workflows: Any) -> None:
    made = await draft(workflows, hello())
    await draft(workflows, calling("caller", "hello"))
    with pytest.raises(Rejected) as caught:
        await workflows.publish("caller", 1)
    assert [(e.rule, e.pointer) for e in caught.value.errors] == [
        ("workflow-unpublished", "/steps/0/workflow")
    ]
    await workflows.publish("hello", 1)
    await workflows.publish("caller", 1)
    await save(workflows, hello("two"), 2)
    await workflows.publish("hello", 3)
    found = (await workflows.ask(FindTrigger(workflow="caller"))).value
    assert found["callees"] == [{"name": "hello", "workflow_id": made["id"], "workflow_version": 1}]
    shown = (await workflows.ask(FindVersion(workflow="caller", version=1))).value
    assert shown["callees"] == [{"name": "hello", "workflow": made["id"], "version": 1}]


async def test_a_workflow_of_another_organization_can_not_be_called(workflows: Any) -> None:
    await workflows.draft(hello(), "org_two")
    await workflows.publish("hello", 1, "org_two")
    await draft(workflows, calling("caller", "hello"))
    with pytest.raises(Rejected) as caught:
        await workflows.publish("caller", 1)
    assert caught.value.errors[0].rule == "unknown-workflow"


# -- going back and comparing --------------------------------------------------------------------


async def test_going_back_publishes_the_old_document_as_the_next_version(workflows: Any) -> None:
    await workflows.draft(hook("orders", "orders"))
    await workflows.publish("orders", 1)
    await workflows.save(hook("orders", "elsewhere"), 2, name="orders")
    await workflows.publish("orders", 3)
    await workflows.save(hook("orders", "third"), 4, name="orders")
    back = RollBackWorkflow(workflow="orders", version=1, note="it broke")
    made = (await workflows.ask(back)).value
    assert (made["published"], made["draft"]) == (3, 5)
    assert [t["path"] for t in made["triggers"]] == ["orders"]
    assert (await workflows.ask(FindHook(path="orders"))).value["workflow_version"] == 3
    assert (await workflows.ask(FindHook(path="elsewhere"))).value["reason"] == "no-such-path"
    shown = (await workflows.ask(FindVersion(workflow="orders", version=3))).value
    assert shown["document"] == hook("orders", "orders")
    assert shown["note"] == "it broke"
    kept = (await workflows.ask(FindDraft(workflow="orders"))).value["document"]
    assert kept == hook("orders", "third")
    async with refused(Rejected, "nothing-to-publish"):
        await workflows.ask(RollBackWorkflow(workflow="orders", version=1))
    with pytest.raises(NotFound):
        await workflows.ask(RollBackWorkflow(workflow="orders", version=9))
    assert (await workflows.publish("orders", 7)).value["published"] == 4


async def test_going_back_is_checked_as_publishing_is(workflows: Any) -> None:
    await workflows.store("api", "hush")
    await workflows.draft(hook("orders", "orders", '{scheme: token, secret: "${{ secret.api }}"}'))
    await workflows.publish("orders", 1)
    await workflows.save(hook("orders", "elsewhere"), 2, name="orders")
    await workflows.publish("orders", 3)
    await workflows.ask(DeleteSecret(name="api"))
    async with refused(Rejected, "workflow-invalid"):
        await workflows.ask(RollBackWorkflow(workflow="orders", version=1))
    await workflows.store("api", "hush")
    await workflows.draft(hook("thief", "orders"))
    await workflows.publish("thief", 1)
    async with refused(Conflict, "path-taken"):
        await workflows.ask(RollBackWorkflow(workflow="orders", version=1))
    await workflows.ask(ArchiveWorkflow(workflow="orders"))
    async with refused(Conflict, "workflow-archived"):
        await workflows.ask(RollBackWorkflow(workflow="orders", version=1))


async def test_what_ran_before_comes_back_without_a_review(workflows: Any) -> None:
    await draft(workflows, hello("one"))
    await workflows.publish("hello", 1)
    await save(workflows, hello("two"), 2)
    await workflows.publish("hello", 3)
    await four_eyes(workflows)
    back = await workflows.ask(RollBackWorkflow(workflow="hello", version=1))
    assert back.value["published"] == 3


async def test_versions_and_the_draft_are_compared(workflows: Any) -> None:
    await draft(workflows, hello("one"))
    await workflows.publish("hello", 1)
    await save(workflows, scheduled("hello", "0 9 * * *"), 2)
    await workflows.publish("hello", 3)
    await save(workflows, hello("three"), 4)

    async def diff(version: int, against: str | None = None) -> Any:
        question = CompareVersions(workflow="hello", version=version, against=against)
        return (await workflows.ask(question)).value

    second = await diff(2)
    assert (second["old"], second["new"]) == (1, 2)
    (changed,) = second["steps_changed"]
    assert [(c["key"], c["old"], c["new"]) for c in changed["changes"]] == [
        ("/set/text", "one", "hello")
    ]
    assert [t["trigger"] for t in second["triggers"]] == ["schedule:0"]
    assert await diff(2, "1") == second
    back = await diff(1, "2")
    assert [t["new_pointer"] for t in back["triggers"]] == [None]
    drafted = await diff(1, "draft")
    assert (drafted["old"], drafted["new"]) == (1, "draft")
    assert drafted["steps_changed"][0]["changes"][0]["new"] == "three"
    first = await diff(1)
    assert (first["old"], [s["id"] for s in first["steps_added"]]) == (None, ["greet"])
    for version, against in ((3, None), (1, "7"), (0, "draft")):
        with pytest.raises(NotFound):
            await diff(version, against)
    with pytest.raises(NotFound):
        await workflows.ask(CompareVersions(workflow="hello", version=1), "org_two")
