"""What the benchmarks publish is a workflow that can be published, and what they send fits it."""

import json

from benchmarks import documents
from libs.language.check import Known, check
from libs.language.source import read_document

KNOWN = Known(secrets=frozenset({documents.HOOK_SECRET}), publishing=True)


def test_every_document_passes_the_checker_without_a_warning():
    for text in documents.texts():
        checked = check(read_document(text, "yaml"), known=KNOWN)
        assert checked.problems == []
        assert checked.warnings == []


def test_each_document_listens_at_its_own_name():
    found = [check(read_document(text, "yaml")).document for text in documents.texts()]
    names = [(doc.name, [t.path for t in doc.webhooks]) for doc in found if doc is not None]
    assert names == [
        (name, [name]) for name in ("bench-answer", "bench-burst", "bench-loop", "bench-waiting")
    ]


def test_a_call_is_one_whole_http_request_with_the_token_and_the_body():
    sent = documents.body(3, "mark")
    text = documents.hook_request("http://127.0.0.1:9", "org_1", "bench-answer", "s3cret", sent)
    head, _, body = text.partition("\r\n\r\n")
    lines = head.split("\r\n")
    assert lines[0] == "POST /hooks/org_1/bench-answer HTTP/1.1"
    assert "host: 127.0.0.1:9" in lines
    assert "authorization: Bearer s3cret" in lines
    assert f"content-length: {len(body)}" in lines
    assert json.loads(body) == {"n": 3, "name": "mark"}
