"""Documents as workflows takes them apart, and the contract as others read it."""

import msgspec
import pytest
from pydantic import BaseModel
from tests_support.workflow_texts import hello, hook

from libs.common.errors import Malformed, TooLarge
from libs.common.fields import bare_fields
from libs.language.check import parse
from services.workflows import contract
from services.workflows.contract import ConnectorFact, Media, WorkflowInvalid
from services.workflows.domain import documents

KNOWN = documents.known(frozenset({"api"}), frozenset({"mail"}), publishing=True)


def examine(text: str, media: Media = "yaml") -> documents.Examined:
    return documents.examine(text, media, KNOWN)


def test_the_contract_says_what_every_field_holds() -> None:
    models = [m for m in vars(contract).values() if isinstance(m, type)]
    own = [m for m in models if issubclass(m, BaseModel) and m.__module__.startswith("services.")]
    assert len(own) > 40
    assert [problem for model in own for problem in bare_fields(model)] == []


def test_the_facts_of_a_document_are_what_others_need() -> None:
    text = hook("orders", "orders", '{scheme: token, secret: "${{ secret.api }}", header: X-Key}')
    text += "labels: {team: red}\noutput: ${{ vars.mail }}\n"
    text = text.replace(
        "steps:\n",
        'steps:\n  - id: send\n    uses: http-request@1\n'
        '    with: {url: "https://api.example/x", headers: {a: "${{ secret.api }}"}}\n',
    )  # fmt: skip
    document = examine(text).checked.document
    assert document is not None
    facts = documents.facts(document, "sealed", [])
    assert (facts.secrets, facts.variables, facts.hosts) == (["api"], ["mail"], ["api.example"])
    assert facts.connectors == [ConnectorFact(type="http-request", version=1)]
    assert facts.labels == {"team": "red"}
    trigger = facts.triggers[0]
    assert (trigger.path, trigger.secret, trigger.header) == ("orders", "api", "x-key")


def test_the_canonical_document_is_what_the_executor_parses() -> None:
    value = msgspec.json.decode(documents.canonical(examine(hook("orders", "orders"))))
    assert parse(value).webhooks[0].path == "orders"


def test_a_draft_with_problems_still_says_which_secrets_it_names() -> None:
    read = examine(hello('${{ secret.api }} and "${{secret.other}}"'.replace('"', "'")))
    assert read.checked.document is None
    assert read.secrets == ["api", "other"]


def test_unreadable_documents_are_malformed_with_a_place() -> None:
    with pytest.raises(Malformed) as refused:
        examine("troth: 1\nname: &x hello\n")
    assert (refused.value.code, refused.value.errors[0].line) == ("malformed-yaml", 2)
    with pytest.raises(Malformed) as json_refused:
        examine('{"a": 1, "a": 2}', "json")
    assert json_refused.value.code == "malformed-json"
    with pytest.raises(TooLarge):
        examine("# é" * 100_000)


@pytest.mark.parametrize("text", ["[]", "null", "troth: 1\n", "name: Not a name\n", "name: 7\n"])
def test_a_document_without_a_name_is_not_kept(text: str) -> None:
    with pytest.raises(WorkflowInvalid) as refused:
        examine(text)
    assert refused.value.errors


def test_a_document_that_grows_too_large_as_json_is_not_published() -> None:
    assert documents.unpublishable(examine(hello()), 10) == []
    assert [p.rule for p in documents.unpublishable(examine(hello()), 600_000)] == ["too-large"]


def test_an_opinion_is_given_on_anything() -> None:
    said = documents.opinion("a: 1\na: 2\n", "yaml", KNOWN)
    assert (said.ok, said.problems[0].line) == (False, 2)
    said = documents.opinion(hello("${{ vars.mail }}"), "yaml", KNOWN)
    assert said.ok
