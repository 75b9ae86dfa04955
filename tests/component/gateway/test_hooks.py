"""The way in for webhooks, on a real bus: every row of the contract's table."""

import base64
import hmac
import time
from hashlib import sha256
from typing import Any

import pytest

from libs.common.errors import InvalidInput
from libs.common.privacy import DataKey
from libs.common.testing import eventually
from services.billing.contract import EntitlementsSet, FindAccount
from services.executor.contract import RecordCall
from services.executor.work import Start, StartAnswer
from services.gateway import starts
from services.workflows.contract import FindHook, HookFound, WorkflowPublished, secret_stream

ORG = "org_1"
JSON = {"Content-Type": "application/json"}


def key(purpose: str) -> DataKey:
    kid = f"{ORG}-{purpose}"
    return DataKey(ORG, purpose, kid, kid.encode().ljust(32, b"x"))


def hook(**changed: Any) -> HookFound:
    found = {
        "path": "orders", "reason": None, "workflow_id": "wf_1", "workflow_version": 1,
        "enabled": True, "scheme": "none", "respond": "accepted", "timeout_s": 10.0,
    }  # fmt: skip
    return HookFound.model_validate(found | changed)


def payload(start: Start) -> Any:
    return key("executions").open(start.payload, f"call-{ORG}-{start.call}")


async def ledger(world: Any) -> RecordCall:
    async def found() -> list[RecordCall]:
        return world.heard(RecordCall)

    return (await eventually(found, bool))[-1]


async def test_a_call_is_started_with_its_sealed_body_and_answers_202(world: Any) -> None:
    world.on(FindHook, lambda m, meta: hook(headers=["x-event"], query=["ref"]))
    answer = await world.http.post(
        "/hooks/acme/orders?ref=a&other=b", content=b'{"n": 1}', headers=JSON | {"X-Event": "paid"}
    )
    assert answer.status_code == 202
    start = world.started[0]
    assert answer.json() == {"execution": start.execution, "call": start.call}
    assert answer.headers["location"] == f"/v1/executions/{start.execution}"
    assert "n" not in start.payload.partition(".")[0] and '{"n"' not in start.payload
    assert payload(start) == {
        "body": {"n": 1}, "headers": {"x-event": "paid"}, "query": {"ref": "a"},
    }  # fmt: skip
    assert (start.kind, start.organization, start.path) == ("webhook", ORG, "orders")
    assert start.request_id == answer.headers["troth-request-id"]


async def test_the_same_key_gives_the_same_execution_and_a_replay_says_so(world: Any) -> None:
    world.on(FindHook, lambda m, meta: hook())
    world.starting = lambda s: [
        StartAnswer("started", s.execution, s.call, replayed=len(world.started) > 1)
    ]
    headers = JSON | {"Idempotency-Key": "order-1"}
    first = await world.http.post("/hooks/acme/orders", content=b"{}", headers=headers)
    again = await world.http.post("/hooks/acme/orders", content=b"{}", headers=headers)
    assert first.json()["execution"] == again.json()["execution"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    one, two = world.started
    assert (one.key_digest, one.body_digest) == (two.key_digest, two.body_digest)
    assert starts.execution_id(ORG, "webhook", "orders", "order-1") == one.execution


async def test_the_result_is_the_answer_when_it_comes_in_time(world: Any) -> None:
    world.on(FindHook, lambda m, meta: hook(respond="result"))
    world.starting = lambda s: [
        StartAnswer("started", s.execution, s.call),
        StartAnswer("finished", s.execution, s.call, outcome="succeeded", output={"sum": 3}),
    ]
    answer = await world.http.post("/hooks/acme/orders", content=b"{}", headers=JSON)
    assert (answer.status_code, answer.json()) == (200, {"sum": 3})
    assert answer.headers["troth-execution"] == world.started[0].execution
    assert (world.started[0].respond, world.started[0].wait_s) == ("result", 10.0)


async def test_a_failed_result_names_the_execution_and_nothing_it_processed(world: Any) -> None:
    world.on(FindHook, lambda m, meta: hook(respond="result"))
    world.starting = lambda s: [
        StartAnswer("finished", s.execution, s.call, outcome="failed", error_type="http-status",
                    output={"secret": "x"}),
    ]  # fmt: skip
    answer = await world.http.post("/hooks/acme/orders", content=b"{}", headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (500, "execution-failed")
    assert answer.json()["error_type"] == "http-status"
    assert "secret" not in answer.text


async def test_a_result_that_takes_too_long_becomes_202(world: Any) -> None:
    world.on(FindHook, lambda m, meta: hook(respond="result", timeout_s=0.2))
    answer = await world.http.post("/hooks/acme/orders", content=b"{}", headers=JSON)
    assert answer.status_code == 202
    assert answer.headers["location"].startswith("/v1/executions/exe_")


async def test_when_nobody_takes_it_the_503_carries_the_key_to_send_again(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starts, "FIRST_ANSWER_S", 0.2)
    world.on(FindHook, lambda m, meta: hook())
    world.starting = lambda s: []
    answer = await world.http.post("/hooks/acme/orders", content=b"{}", headers=JSON)
    assert (answer.status_code, answer.json()["part"]) == (503, "executor")
    assert answer.headers["retry-after"] == "2"
    made = answer.headers["idempotency-key"]
    again = await world.http.post(
        "/hooks/acme/orders", content=b"{}", headers=JSON | {"Idempotency-Key": made}
    )
    assert again.headers["idempotency-key"] == made
    assert world.started[0].execution == world.started[1].execution
    assert world.front.door.starts.unanswered == 0


async def test_what_the_executor_refuses_is_the_callers_problem(world: Any) -> None:
    wire = InvalidInput("1 field does not fit").to_wire()
    world.on(FindHook, lambda m, meta: hook())
    world.starting = lambda s: [StartAnswer("refused", s.execution, s.call, problem=wire)]
    answer = await world.http.post("/hooks/acme/orders", content=b"{}", headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-input")


async def test_an_unknown_organization_and_path_look_the_same(world: Any) -> None:
    world.on(FindHook, lambda m, meta: hook(reason="no-such-path", scheme=None))
    there = await world.http.post("/hooks/acme/nothing", content=b'{"a":1}', headers=JSON)
    elsewhere = await world.http.post("/hooks/nobody/nothing", content=b"{}", headers=JSON)
    assert there.status_code == elsewhere.status_code == 404
    drop = lambda a: {k: v for k, v in a.json().items() if k != "request_id"}  # noqa: E731 - local
    assert drop(there) == drop(elsewhere)
    told = await ledger(world)
    assert (told.outcome, told.reason, told.path) == ("unmatched", "no-such-path", "nothing")
    assert told.body is not None
    assert key("executions").open(told.body, f"call-{ORG}-{told.call_id}") == {"a": 1}
    assert len(world.heard(RecordCall)) == 1


async def test_a_path_published_a_moment_ago_is_found_at_once(world: Any) -> None:
    world.on(FindHook, lambda m, meta: hook(reason="no-such-path", scheme=None))
    assert (await world.http.post("/hooks/acme/orders", content=b"{}")).status_code == 404
    world.on(FindHook, lambda m, meta: hook())
    assert (await world.http.post("/hooks/acme/orders", content=b"")).status_code == 202


async def test_a_bad_signature_is_refused_and_its_body_not_kept(world: Any) -> None:
    secret = "whsec_" + base64.b64encode(b"s" * 24).decode()
    sealed = key("secrets").seal(secret, secret_stream(ORG, "hook"))
    signed = hook(scheme="standard-webhooks", secret=sealed, secret_name="hook")
    world.on(FindHook, lambda m, meta: signed)
    stamp, body = str(int(time.time())), b'{"n":1}'
    mac = hmac.new(b"s" * 24, f"msg_1.{stamp}.".encode() + body, sha256).digest()
    headers = JSON | {
        "webhook-id": "msg_1", "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }  # fmt: skip
    good = await world.http.post("/hooks/acme/orders", content=body, headers=headers)
    assert good.status_code == 202
    bad = await world.http.post("/hooks/acme/orders", content=body + b" ", headers=headers)
    assert (bad.status_code, bad.json()["code"]) == (401, "signature-invalid")
    told = await ledger(world)
    assert (told.outcome, told.reason, told.body) == ("refused", "signature-invalid", None)


async def test_the_hook_is_asked_once_and_again_after_a_publish(world: Any) -> None:
    world.on(FindHook, lambda m, meta: hook())
    for _ in range(3):
        await world.http.post("/hooks/acme/orders", content=b"{}", headers=JSON)
    assert len(world.heard(FindHook)) == 1
    await world.happen(published())

    async def asked() -> int:
        await world.http.post("/hooks/acme/orders", content=b"{}", headers=JSON)
        return len(world.heard(FindHook))

    assert await eventually(asked, lambda n: n == 2) == 2


def published() -> WorkflowPublished:
    return WorkflowPublished.model_validate(
        {"workflow_id": "wf_1", "name": "orders", "workflow_version": 2, "draft_version": 2,
         "document": "v1.k.n.c", "media": "yaml", "document_digest": "d", "bytes": 1,
         "steps_count": 1, "language": 1, "triggers": [], "connectors": [], "hosts": [],
         "secrets": [], "variables": [], "labels": {}, "note": None,
         "published_at": "2026-01-01T00:00:00Z"}
    )  # fmt: skip


async def test_a_used_up_plan_is_refused_early_until_billing_says_otherwise(world: Any) -> None:
    from services.gateway.door import Door

    door: Door = world.front.door
    world.on(FindHook, lambda m, meta: hook())
    world.on(FindAccount, lambda m, meta: account(used=10))
    await door.accounts.get(ORG)
    answer = await world.http.post("/hooks/acme/orders", content=b"{}", headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (402, "quota-exceeded")
    assert (answer.json()["limit"], answer.json()["used"]) == (10, 10)
    assert (await ledger(world)).reason == "quota-exceeded"
    more = EntitlementsSet.model_validate(
        {"executions_per_month": 100, "running_max": 5, "history_days": 7, "features": [],
         "valid_from": "2026-01-01T00:00:00Z", "period_ends_at": "2099-01-01T00:00:00Z"}
    )  # fmt: skip
    await world.happen(more)

    async def status() -> int:
        return (await world.http.post("/hooks/acme/orders", content=b"")).status_code

    world.on(FindAccount, lambda m, meta: account(used=1))
    assert await eventually(status, lambda s: s == 202) == 202


def account(used: int) -> dict[str, Any]:
    limits = {"executions_per_month": 10, "running_max": 5, "history_days": 7}
    period = {"starts_at": "2026-01-01T00:00:00Z", "ends_at": "2099-01-01T00:00:00Z"}
    return {"organization": ORG, "plan": "free", "period": period, "limits": limits,
            "features": [], "used": {"executions": used, "percent": 0}, "alarms": []}  # fmt: skip


@pytest.mark.parametrize(("headers", "body", "status", "code"), [
    (JSON, b'{"a":1,"a":2}', 400, "malformed-json"),
    ({"Content-Type": "multipart/mixed"}, b"x", 415, "media-type-unsupported"),
    ({"Content-Type": "a; b"}, b"x", 415, "media-type-unsupported"),
    ({"Content-Type": "text/csv"}, b"x" * (1024 * 1024 + 1), 413, "body-too-large"),
    ({"Content-Type": "multipart/form-data"}, b"x", 400, "invalid-parameter"),
    (JSON, b"[" * 41 + b"]" * 41, 400, "malformed-json"),
    (JSON, b" " * (256 * 1024 + 1), 413, "body-too-large"),
    (JSON | {"Idempotency-Key": "a b"}, b"{}", 400, "invalid-parameter"),
])  # fmt: skip
async def test_bad_calls_get_a_clear_answer(
    world: Any, headers: Any, body: bytes, status: int, code: str
) -> None:
    world.on(FindHook, lambda m, meta: hook())
    answer = await world.http.post("/hooks/acme/orders", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert world.started == []


async def test_a_form_becomes_an_object_of_texts(world: Any) -> None:
    world.on(FindHook, lambda m, meta: hook())
    answer = await world.http.post("/hooks/acme/orders", data={"a": "1", "b": ""})
    assert answer.status_code == 202
    assert payload(world.started[0])["body"] == {"a": "1", "b": ""}


async def test_hooks_are_called_by_post_only(world: Any) -> None:
    answer = await world.http.get("/hooks/acme/orders")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_strangers_fill_at_most_a_thousand_rows_an_hour(world: Any) -> None:
    from services.gateway.ledger import AN_HOUR_MAX, Ledger

    told: Ledger = world.front.door.ledger
    assert sum(told._room("org_9") for _ in range(AN_HOUR_MAX + 50)) == AN_HOUR_MAX
    assert told._room("org_8")


async def test_more_than_64_unanswered_starts_of_one_organization_wait_then_get_429(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    monkeypatch.setattr(starts, "PLACE_WAIT_S", 0.1)
    monkeypatch.setattr(starts, "FIRST_ANSWER_S", 3.0)
    world.on(FindHook, lambda m, meta: hook())
    world.starting = lambda s: []
    posts = [world.http.post("/hooks/acme/orders", content=b"") for _ in range(70)]
    codes = [answer.status_code for answer in await asyncio.gather(*posts)]
    assert (codes.count(503), codes.count(429)) == (64, 6)


async def test_strangers_who_try_paths_do_not_stop_a_path_that_exists(world: Any) -> None:
    from services.gateway import rates

    world.front.door.rates.unmatched = rates.Buckets(rates.Limit("unmatched", 0.01, 3))
    found = {"orders": hook()}
    unknown = hook(reason="no-such-path", scheme=None)
    world.on(FindHook, lambda m, meta: found.get(m.path, unknown))
    assert (await world.http.post("/hooks/acme/orders", content=b"")).status_code == 202
    codes = [
        (await world.http.post(f"/hooks/acme/try-{n}", content=b"")).status_code for n in range(5)
    ]
    assert codes == [404, 404, 429, 429, 429]
    world.front.door.hooks.clear()
    assert (await world.http.post("/hooks/acme/orders", content=b"")).status_code == 202
