"""docs/asyncapi.json and /asyncapi.json are AsyncAPI 3.0, by its own schema and beyond it."""

import gzip
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from pydantic import RootModel

from services.gateway import asyncapi
from tools.docs.asyncapi import asyncapi_document
from tools.inventory import asks

SCHEMA = Path(__file__).with_name("asyncapi-3.0.0.json.gz")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads(asyncapi_document())


@pytest.fixture(scope="module")
def official() -> jsonschema_rs.Draft7Validator:
    return jsonschema_rs.Draft7Validator(json.loads(gzip.decompress(SCHEMA.read_bytes())))


def found(validator: jsonschema_rs.Draft7Validator, document: dict[str, Any]) -> list[str]:
    return [f"{error.instance_path}: {error.message[:200]}"
            for error in validator.iter_errors(document)]  # fmt: skip


def at(document: dict[str, Any], reference: str) -> Any:
    """What a reference leads to; KeyError when it leads nowhere."""
    assert reference.startswith("#/")
    place: Any = document
    for step in reference[2:].split("/"):
        place = place[step.replace("~1", "/").replace("~0", "~")]
    return place


def references(part: Any) -> list[str]:
    if isinstance(part, list):
        return [each for item in part for each in references(item)]
    if not isinstance(part, dict):
        return []
    own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
    return own + [each for item in part.values() for each in references(item)]


def test_the_official_schema_finds_nothing_wrong_in_both_documents(
    document: dict[str, Any], official: jsonschema_rs.Draft7Validator
) -> None:
    assert found(official, document) == []
    assert found(official, asyncapi.document()) == []


def test_the_official_schema_would_find_a_reply_that_is_none(
    document: dict[str, Any], official: jsonschema_rs.Draft7Validator
) -> None:
    name = "identity.query.find-me"
    reply = document["operations"][name]["reply"] | {"messages": "nothing"}
    operation = document["operations"][name] | {"reply": reply}
    broken = document | {"operations": document["operations"] | {name: operation}}
    assert found(official, broken)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    said = references(document)
    for reference in said:
        at(document, reference)
    assert len(said) > 500


def test_every_operation_names_messages_of_its_own_channel(document: dict[str, Any]) -> None:
    for name, operation in document["operations"].items():
        sides = [operation, *([operation["reply"]] if "reply" in operation else [])]
        for side in sides:
            channel = side["channel"]["$ref"]
            assert side["messages"], name
            for message in side["messages"]:
                assert message["$ref"].startswith(f"{channel}/messages/"), name
                assert "payload" in at(document, at(document, message["$ref"])["$ref"])


def test_every_command_and_query_says_what_is_answered_and_that_it_may_be_refused(
    document: dict[str, Any],
) -> None:
    for ask in asks():
        reply = document["operations"][ask.type]["reply"]
        channel = at(document, reply["channel"]["$ref"])
        assert channel["address"] is None, "the inbox of who asks"
        assert set(channel["messages"]) == {f"{ask.type}.answer", "refused"}
        assert ask.answers is not None
        answer = document["components"]["messages"][f"{ask.type}.answer"]["payload"]
        if issubclass(ask.answers, RootModel):
            assert len(answer["anyOf"]) > 1, "one of several"
            continue
        assert set(answer.get("properties", {})) == set(ask.answers.model_fields)


def test_models_of_one_name_in_two_services_are_told_apart(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    triggers = [name for name in schemas if name.endswith(".TriggerFact")]
    assert triggers == ["services-executor.TriggerFact", "services-workflows.TriggerFact"]
    assert schemas[triggers[0]] != schemas[triggers[1]]
