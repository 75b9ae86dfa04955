"""Nothing personal, free or secret that came in stands anywhere in the clear."""

import secrets
import time
from pathlib import Path
from typing import Any

import psycopg
from tests_support.api import JSON, MERGE, YAML, Api
from tests_support.marks import SENT, controlled
from tests_support.stack import OWNERS, Stack, until
from tests_support.traces_of import Hit, forms, in_bytes, in_files, in_tables
from tests_support.world import MARK, OPERATOR, World

from cli.installation import ops_get
from libs.common.fields import DataClass, meaning_of
from libs.embedded.folder import DataFolder
from services.gateway.app import FILES
from services.gateway.routing import know

PROTECTED = (DataClass.DIRECT, DataClass.FREE_TEXT, DataClass.SPECIAL, DataClass.SECRET)
DOCUMENT = f"""troth: 1
name: NAME
title: "{MARK} title"
description: "{MARK} description"
# {MARK} comment
input: {{type: object}}
on:
  - webhook:
      {{path: NAME, verify: {{scheme: none}}, respond: result, headers: [x-mark], query: [q]}}
steps:
  - id: asked
    uses: http-request@1
    with:
      method: POST
      url: ${{{{ vars.NAMEurl }}}}
      headers: {{authorization: "Bearer ${{{{ secret.NAME }}}}"}}
      json: {{mark: "{MARK} literal", given: "${{{{ input }}}}"}}
  - id: made
    set: {{text: "{MARK} made ${{{{ asked.json.said }}}}", headers: "${{{{ trigger.headers }}}}"}}
output: {{result: "${{{{ made.text }}}}", vars: "${{{{ vars.NAMEvalue }}}}"}}
"""
FAILS = f"""troth: 1
name: NAME
input: {{type: object}}
steps:
  - id: broken
    set: {{x: "${{{{ {{'{MARK} key': 1}}['{MARK} other'] }}}}"}}
output: 1
"""
REFUSED = f"""troth: 1
name: NAME
steps:
  - id: asked
    uses: http-request@1
    with: {{method: POST, url: "http://169.254.169.254/{MARK}"}}
"""


def test_every_protected_field_is_among_those_that_are_sent() -> None:
    found: dict[str, set[str]] = {}
    routes = [route for file in FILES for route in file.routes.router.routes]
    for known in know(routes).values():
        for model in (known.body and known.body.model, known.parameters and known.parameters.model):
            for name, info in model.model_fields.items() if model else ():
                meaning = meaning_of(info.annotation, info.metadata)
                if meaning is not None and meaning.data_class in PROTECTED:
                    found.setdefault(known.operation, set()).add(name)
        if known.facts.documents:
            found.setdefault(known.operation, set()).add("document")
    assert found == SENT


def publish(api: Api, name: str, document: str) -> dict[str, Any]:
    text, yaml = document.replace("NAME", name), {"content-type": YAML}
    api.post("/v1/workflows/check", content=text.encode(), headers=yaml)
    made = api.post("/v1/workflows", content=text.encode(), headers=yaml)
    tag = api.ask("GET", f"/v1/workflows/{name}/draft").headers["etag"]
    saved = api.ask(
        "PUT", f"/v1/workflows/{name}/draft", content=f"{text}# {MARK}\n".encode(),
        headers=yaml | {"If-Match": tag},
    )  # fmt: skip
    version = int(saved.headers["etag"].strip('"'))
    body = {"draft_version": version, "note": f"{MARK} note"}
    return api.post(f"/v1/workflows/{made['id']}/publish", body)


def reviewed(world: World, name: str) -> None:
    """Marks in what is said about a draft, and in why a version came back."""
    api, path = world.home.owner, f"/v1/workflows/{name}"
    for verb in ("reject", "approve"):
        tag = api.ask("GET", f"{path}/draft").headers["etag"]
        text = f"{DOCUMENT.replace('NAME', name)}# {MARK} {verb}\n".encode()
        headers = {"content-type": YAML, "If-Match": tag}
        saved = api.ask("PUT", f"{path}/draft", content=text, headers=headers)
        version = int(saved.headers["etag"].strip('"'))
        asked = api.post(f"{path}/reviews", {"draft_version": version, "note": f"{MARK} note"})
        member = world.member("marks", "builder")
        member.post(f"/v1/reviews/{asked['id']}/{verb}", {"comment": f"{MARK} comment"})
    api.post(f"{path}/publish", {"draft_version": version})
    api.post(f"{path}/rollback", {"version": 1, "note": f"{MARK} note"})


def say_everything(world: World) -> None:
    """Marks in every protected field, in what hooks bring, and in what executions make of it."""
    api, name = world.home.owner, f"mark{secrets.token_hex(3)}"
    people(world)
    api.post("/v1/api-keys", {"name": f"{MARK} key", "scopes": ["members:read"]})
    api.put(f"/v1/secrets/{name}", {"value": f"{MARK} secret"})
    api.put(f"/v1/variables/{name}value", {"value": {f"{MARK} k": [f"{MARK} v"]}})
    url = f"http://{world.receiver}/{MARK}"
    api.put(f"/v1/variables/{name}url", {"value": url})
    subscribe(api, world)
    publish(api, name, DOCUMENT)
    reviewed(world, name)
    answer = until(lambda: called(world, name))
    assert MARK in answer.json()["result"], "the mark went through the whole execution"
    api.post(f"/v1/workflows/{name}/executions", {"input": {"x": f"{MARK} input"}},
             headers={"Prefer": "wait=10", "User-Agent": f"{MARK} agent"})  # fmt: skip
    for kind, document in (("fails", FAILS), ("refused", REFUSED)):
        publish(api, f"{name}-{kind}", document)
        headers = {"Prefer": "wait=10", "Idempotency-Key": f"{MARK}-{name}-{kind}"}
        path = f"/v1/workflows/{name}-{kind}/executions"
        ended = api.post(path, {"input": {}}, headers=headers)
        assert ended["outcome"] == "failed", ended
    failed = api.get(f"/v1/executions/{ended['execution']}/data")
    assert failed["error"]
    cancel = {"reason": f"{MARK} reason"}
    api.post(f"/v1/executions/{ended['execution']}/cancel", cancel,
             headers={"Idempotency-Key": secrets.token_hex(8)})  # fmt: skip
    api.get(f"/v1/executions?key={MARK}")
    controlled(world)
    refused_calls(world, name)


def people(world: World) -> None:
    email, api = f"p-{secrets.token_hex(3)}-{MARK}@example.com", Api(world.public.base)
    password = f"{MARK} password"
    api.post("/v1/people", {
        "name": f"{MARK} name", "email": email, "password": password, "old_enough": True,
        "policies": {"privacy": "2026-12"},
    }, headers={"Idempotency-Key": secrets.token_hex(8)})  # fmt: skip
    body = {"email": email, "password": password, "as": "token"}
    token = api.post("/v1/sessions", body, headers={"Idempotency-Key": secrets.token_hex(8)})
    person = api.with_token(token["token"])
    person.post("/v1/organizations", {"name": f"{MARK} organization"},
                headers={"Idempotency-Key": secrets.token_hex(8)})  # fmt: skip
    world.home.owner.post("/v1/members", {"email": email, "role": "viewer"},
                          headers={"Idempotency-Key": secrets.token_hex(8)})  # fmt: skip
    guest = {"email": f"g-{email}", "role": "viewer"}
    world.home.owner.post("/v1/invitations", guest)
    stranger = {"name": f"{MARK} name", "email": f"s-{email}", "password": password,
                "old_enough": True, "policies": {}, "invitation": f"{MARK} invitation"}  # fmt: skip
    assert api.ask("POST", "/v1/people", stranger).status_code == 403
    wrong = body | {"password": f"{MARK} wrong"}
    assert api.ask("POST", "/v1/sessions", wrong).status_code == 401
    form = {"email": email, "password": f"{MARK} form"}
    ours = {"Sec-Fetch-Site": "same-origin"}
    for path in ("/sign-in", "/setup", "/sign-out", "/join"):
        api.client.post(path, data=form | {"token": f"{MARK} token"}, headers=ours)
    for path in ("/setup", "/join", "/sign-in"):
        api.client.get(f"{path}?token={MARK}")
    api.client.get("/v1/me", headers={"Authorization": f"Bearer {MARK}"})
    api.client.get(f"/v1/{MARK}?{MARK}={MARK}")


def subscribe(api: Api, world: World) -> None:
    body = {"url": f"http://{world.receiver}/{MARK}/a", "types": ["executor.event.*"]}
    key = {"Idempotency-Key": f"{MARK}-{secrets.token_hex(4)}"}
    answer = api.ask("POST", "/v1/event-subscriptions", body, key)
    made, tag = answer.json(), answer.headers["etag"]
    changed = api.ask(
        "PATCH", f"/v1/event-subscriptions/{made['id']}",
        content=f'{{"url": "http://{world.receiver}/{MARK}/b"}}'.encode(),
        headers={"Content-Type": MERGE, "If-Match": tag},
    )  # fmt: skip
    assert changed.status_code == 200, changed.text


def called(world: World, name: str, status: int = 200) -> Any:
    answer = world.public.client.post(
        f"/hooks/{world.home.id}/{name}?q={MARK}", content=f'{{"body": "{MARK} body"}}',
        headers={"content-type": JSON, "user-agent": MARK, "x-mark": MARK,
                 "idempotency-key": secrets.token_hex(8)},
    )  # fmt: skip
    return answer if answer.status_code == status else None


def refused_calls(world: World, name: str) -> None:
    """What matches nothing, or does not fit, is kept: sealed."""
    assert called(world, f"{name}-nobody", 404)
    for body, kind in ((f"{{{MARK}", JSON), (f"<{MARK}>", "text/xml"), (f'"{MARK}"', JSON)):
        world.public.client.post(f"/hooks/{world.home.id}/{name}", content=body,
                                 headers={"content-type": kind, "user-agent": MARK})  # fmt: skip


# -- where it could stand ------------------------------------------------------------------------


def superuser(stack: Stack, database: str) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host="127.0.0.1", port=stack.state.postgres.port, dbname=database, user="postgres",
        password=DataFolder(stack.data).read_secrets().postgres, autocommit=True,
    )  # fmt: skip


def written(stack: Stack, text: str) -> tuple[list[Hit], dict[str, int]]:
    """All hits, and how much was looked at where."""
    with superuser(stack, "postgres") as connection:
        connection.execute("checkpoint")
    looked: dict[str, int] = {}
    hits: list[Hit] = []
    places = {
        "postgres": stack.data / "postgres", "nats": stack.data / "nats",
        "logs": stack.data / "logs", "keys": stack.data / "keys", "traces": stack.traces,
        "out": stack.out,
    }  # fmt: skip
    for place, path in places.items():
        found, looked[place] = in_files([path], text)
        hits += found
    for service in OWNERS:
        with superuser(stack, f"troth_{service}") as connection:
            found, looked[service] = in_tables(connection, service, text)
            hits += found
    for name, process in stack.state.processes.items():
        status, body = ops_get(process.ops_port, "/metrics")
        assert status == 200
        looked[f"metrics of {name}"] = len(body)
        hits += in_bytes(f"metrics of {name}", body, text)
    return hits, looked


def last_trace(world: World) -> None:
    """Waits until what was just done has been exported."""
    trace = secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace}-{'1' * 16}-01"}
    assert world.home.owner.ask("GET", "/v1/me", headers=headers).status_code == 200
    traces = world.stack.traces
    until(lambda: trace.encode() in traces.read_bytes(), 20, lambda: "the span was not exported")
    time.sleep(0.6)  # the other processes export every half second


def test_nothing_that_was_said_is_found_in_the_clear(world: World) -> None:
    say_everything(world)
    world.stack.settled()
    last_trace(world)
    hits, looked = written(world.stack, MARK)
    assert not hits, "\n".join(f"{hit.where} ({hit.form}): {hit.around}" for hit in hits[:40])
    assert min(looked.values()) > 0, looked
    token = world.stack.operator_token
    found = [hit for hit in written(world.stack, token)[0] if not hit.where.endswith(".out")]
    assert not found, "the one-time token is printed, and nowhere else"


PLANTS = ("clear", "UTF-16 LE", "JSON-escaped", "base64 at 0", "base64 at 1", "hex")


def test_the_search_finds_what_is_there(world: World) -> None:
    plant = f"plant{secrets.token_hex(6)}"
    files = [Path(world.stack.data, place, "scratch") for place in ("logs", "nats", "keys")]
    with superuser(world.stack, "troth_workflows") as connection:
        connection.execute("create table scratch (value bytea, words text)")
        try:
            connection.execute("alter table scratch alter value set storage external")
            # In a new segment, which the checkpoint of the search keeps for it; and twice, for the
            # head of a WAL page may stand in the middle of one of them.
            connection.execute("select pg_switch_wal()")
            for form in PLANTS * 2:
                value = (forms(plant)[form], plant * 2000)
                connection.execute("insert into scratch values (%s, %s)", value)
            for file in files:
                file.write_bytes(b"x" * 5000 + plant.encode("utf-16-le"))
            hits, _ = written(world.stack, plant)
        finally:
            connection.execute("drop table scratch")
            for file in files:
                file.unlink()
    for form in PLANTS:
        where = {hit.where for hit in hits if hit.form == form}
        wal = {path for path in where if "/pg_wal/" in path}
        assert wal and {path for path in where if "/base/" in path}, (form, where)
    clear = {hit.where for hit in hits if hit.form == "clear"}
    assert "workflows.scratch" in clear, "what the server compresses is found by its columns"
    assert {str(file) for file in files} <= {h.where for h in hits if h.form == "UTF-16 LE"}


def test_what_was_sealed_can_be_read_by_who_may(world: World) -> None:
    """The marks are there, for the owner: the search above does not look into emptiness."""
    me = world.home.owner.get("/v1/me")
    assert me["person"]["email"] == OPERATOR["email"]
    assert me["organization"]["name"] == OPERATOR["organization"]
