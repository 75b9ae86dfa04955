"""Files over HTTP: streamed in and out, an input of an execution, nobody else's."""

import os
from typing import Any

from tests_support.api import YAML, Api
from tests_support.meetings import new
from tests_support.stack import until
from tests_support.world import MARK, World

MIB = 1024 * 1024
LIMIT = 100 * MIB
PDF = {"content-type": "application/pdf"}
PUTS = """troth: 1
name: {name}
input: {{type: object, required: [doc], properties: {{doc: {{type: object}}}}}}
steps:
  - id: sent
    uses: http-request@1
    with:
      method: POST
      url: http://{receiver}/file
      file: ${{{{ input.doc }}}}
      as_file: true
output: {{doc: "${{{{ sent.file }}}}"}}
"""


def send(api: Api, content: Any, **headers: str) -> Any:
    return api.ask("POST", "/v1/files", headers=PDF | headers, content=content)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_file_comes_back_as_it_was_sent(world: World) -> None:
    owner, content = world.home.owner, os.urandom(3 * MIB + 17)
    made = send(owner, content)
    file = made.json()
    assert (made.status_code, made.headers["location"]) == (201, f"/v1/files/{file['id']}")
    assert (file["media_type"], file["size_bytes"]) == ("application/pdf", len(content))
    chunked = send(owner, iter([content[:5], content[5:]])).json()
    assert chunked["id"] == file["id"]
    got = owner.ask("GET", f"/v1/files/{file['id']}")
    assert got.content == content
    assert got.headers["content-type"] == "application/pdf"
    assert got.headers["content-disposition"].startswith("attachment")
    head = owner.client.head(f"/v1/files/{file['id']}", headers=owner.headers(None))
    assert (head.content, head.headers["content-length"]) == (b"", str(len(content)))
    empty = send(owner, b"").json()
    assert owner.ask("GET", f"/v1/files/{empty['id']}").content == b""


HOOKED = """troth: 1
name: {name}
on:
  - webhook: {{path: {name}, verify: {{scheme: none}}, respond: result}}
steps: [{{id: as_it_came, set: {{it: "${{{{ input }}}}"}}}}]
output: ${{{{ as_it_came.it }}}}
"""


def test_a_hook_is_called_with_a_file_and_with_a_form_that_has_one(world: World) -> None:
    owner, name = world.home.owner, new("hooked")
    text = HOOKED.format(name=name).encode()
    owner.post("/v1/workflows", content=text, headers={"content-type": YAML})
    owner.post(f"/v1/workflows/{name}/publish", {"draft_version": 1})
    content = os.urandom(MIB)
    hook = f"/hooks/{world.home.id}/{name}"

    def called(**more: Any) -> Any:
        answer = until(lambda: (a := owner.client.post(hook, **more)).status_code != 404 and a)
        assert answer.status_code == 200, answer.text
        return answer.json()

    file = called(content=content, headers=PDF)
    assert (file["media_type"], file["size_bytes"]) == ("application/pdf", MIB)
    assert owner.ask("GET", f"/v1/files/{file['$file']}").content == content
    form = called(data={"who": "Ada"}, files={"doc": ("a.csv", b"a,b", "text/csv")})
    assert (form["who"], form["doc"]["media_type"]) == ("Ada", "text/csv")
    assert owner.ask("GET", f"/v1/files/{form['doc']['$file']}").content == b"a,b"
    assert owner.client.post(hook, content=content + b"x", headers=PDF).status_code == 413


def test_a_file_goes_through_an_execution(world: World) -> None:
    owner, name = world.home.owner, new("puts")
    text = PUTS.format(name=name, receiver=world.receiver).encode()
    owner.post("/v1/workflows", content=text, headers={"content-type": YAML})
    owner.post(f"/v1/workflows/{name}/publish", {"draft_version": 1})
    content = (MARK * 50_000).encode()
    file = send(owner, content).json()
    start = {"input": {"doc": file["value"]}}
    execution = owner.post(f"/v1/workflows/{name}/executions", start)["execution"]
    path = f"/v1/executions/{execution}"
    until(lambda: owner.get(path)["outcome"])
    data = owner.get(f"{path}/data")
    assert data["output"], data
    echoed = owner.ask("GET", f"/v1/files/{data['output']['doc']['$file']}").json()
    assert echoed["said"] == content.decode()


def test_one_byte_too_much_is_refused_before_it_is_sent(world: World) -> None:
    answer = send(world.home.owner, bytes(LIMIT + 1))
    assert code(answer) == (413, "body-too-large")
    assert answer.json()["limit_bytes"] == LIMIT


def test_a_form_is_no_file(world: World) -> None:
    kinds = ("multipart/form-data; boundary=x", "nonsense", "*/*")
    for kind in kinds:
        answer = send(world.home.owner, b"x", **{"content-type": kind})
        assert code(answer) == (415, "media-type-unsupported"), kind
    untyped = world.home.owner.ask("POST", "/v1/files", content=b"x").json()
    assert untyped["media_type"] == "application/octet-stream"


def test_a_file_is_of_its_organization_and_for_who_may_read_payloads(world: World) -> None:
    made = send(world.home.owner, b"ours").json()
    path = f"/v1/files/{made['id']}"
    assert code(world.other.owner.ask("GET", path)) == (404, "not-found")
    starts = world.key("executions:start")
    assert send(starts, b"mine").status_code == 201
    assert code(starts.ask("GET", path)) == (403, "permission-missing")
    assert code(send(world.key("payloads:read"), b"no")) == (403, "permission-missing")


def test_an_input_that_names_another_ones_file_starts_nothing(world: World) -> None:
    foreign = send(world.other.owner, b"theirs").json()
    start = {"input": {"doc": foreign["value"]}}
    path = f"/v1/workflows/{world.home.ids['workflow']}/executions"
    answer = world.home.owner.ask("POST", path, start)
    assert code(answer) == (422, "file-missing")
