"""The checker: places, warnings, triggers, limits, and hostile documents."""

import json
import textwrap
import time

import pytest

from libs.language.check import HTTP_REQUEST, Checked, Known, Problem, check, explain
from libs.language.source import SourceError, read_document

KNOWN = Known(connectors={"http-request@1": HTTP_REQUEST})
SET = "steps: [{id: a, set: {x: 1}}]\n"


def checked(text: str, known: Known = KNOWN) -> Checked:
    whole = f"troth: 1\nname: case\n{textwrap.dedent(text)}"
    return check(read_document(whole, "yaml"), known=known)


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, problems
    return problems[0]


def rules(found: Checked) -> set[str]:
    return {problem.rule for problem in found.problems}


def test_a_problem_says_where_what_and_what_was_meant():
    text = """\
    steps:
      - id: total
        set: {amount: 1}
      - id: post
        uses: http-request@1
        with:
          url: "https://api.example/${{ totl.amount }}"
    """

    problem = only(checked(text).problems)

    assert problem.as_dict() == {
        "pointer": "/steps/1/with/url",
        "line": 9,
        "column": 37,
        "rule": "unknown-name",
        "detail": "nothing named 'totl' can be seen here",
        "found": "totl",
        "did_you_mean": "total",
        "see": "/docs/language#scopes",
    }


def test_an_explanation_shows_the_line_and_points_at_it():
    text = "troth: 1\nname: a\nsteps:\n  - id: b\n    set: {x: '${{ inputt.y }}'}\n"
    problem = only(check(read_document(text, "yaml")).problems)

    assert explain(problem, text, "a.yaml").split("\n") == [
        "a.yaml:5:19: unknown-name: nothing named 'inputt' can be seen here",
        "  5 |     set: {x: '${{ inputt.y }}'}",
        "    |                   ^^^^^^",
        "  did you mean: input",
    ]


def test_an_explanation_of_an_unreadable_file_moves_no_cursor():
    text = 'a: "\x1b[2J"'
    with pytest.raises(SourceError) as caught:
        read_document(text, "yaml")

    assert "\x1b" not in explain(Problem.of_source(caught.value), text)


@pytest.mark.parametrize("mark", ["|", ">-", "|2"])
def test_a_problem_in_a_block_of_text_has_the_place_in_the_block_or_its_beginning(mark):
    text = (
        f"steps:\n  - id: a\n    set:\n      x: {mark}\n        one\n        two ${{{{ nope }}}}\n"
    )

    problem = only(checked(text).problems)

    assert (problem.line, problem.column) in ((8, 17), (6, 10))
    assert mark != "|" or (problem.line, problem.column) == (8, 17)


def test_problems_come_in_the_order_of_the_file_and_at_most_50():
    steps = "".join(f"  - {{id: s{n}, set: {{x: '${{{{ no{n} }}}}'}}}}\n" for n in range(80))

    found = checked(f"steps:\n{steps}output: 1\nextra: 2\n")

    assert len(found.problems) == 50
    assert found.more
    assert [each.line for each in found.problems] == sorted(
        each.line or 0 for each in found.problems
    )


def test_the_last_problem_below_the_limit_is_not_followed_by_more():
    found = checked("steps: [{id: a, set: {x: '${{ no }}'}}]\n")

    assert not found.more


def test_json_is_checked_like_yaml():
    text = '{"troth": 1, "name": "a",\n "steps": [{"id": "b", "set": {"x": "${{ nope }}"}}]}'

    problem = only(check(read_document(text, "json")).problems)

    assert (problem.line, problem.column, problem.rule) == (2, 42, "unknown-name")


def test_an_open_schema_gives_a_warning_and_a_closed_one_a_problem():
    schema = "input: {{type: object, properties: {{a: {{}}}}{more}}}\n"
    use = "steps: [{id: s, set: {x: '${{ input.b }}'}}]\n"

    warned = checked(schema.format(more="") + use)
    refused = checked(schema.format(more=", additionalProperties: false") + use)

    assert warned.document is not None
    assert only(warned.warnings).rule == "unknown-key"
    assert only(refused.problems).rule == "unknown-key"


def test_paths_are_followed_through_references_and_alternatives():
    text = """\
    input:
      type: object
      additionalProperties: false
      properties: {item: {$ref: "#/$defs/item"}}
      $defs:
        item:
          oneOf:
            - {type: object, additionalProperties: false, properties: {a: {type: string}}}
            - {type: object, additionalProperties: false, properties: {b: {type: string}}}
    steps:
      - {id: good, set: {x: "${{ [input.item.a, input.item.b] }}"}}
      - {id: bad, set: {x: "${{ input.item.c }}"}}
      - {id: worse, set: {x: "${{ input.item.a.deep }}"}}
    """

    assert [(each.found, each.line) for each in checked(text).problems] == [("c", 14), ("deep", 15)]


def test_a_branchs_output_is_what_can_be_read_of_the_choose():
    text = """\
    steps:
      - id: route
        choose:
          - {when: "${{ true }}", steps: [{id: ok, set: {x: 1}}], output: {by: "${{ ok.x }}"}}
        else: {steps: [], output: {by: null, why: none}}
      - {id: good, set: {a: "${{ route.by }}", b: "${{ route.why }}"}}
      - {id: bad, set: {a: "${{ route.ok }}"}}
    """

    assert only(checked(text).problems).found == "ok"


def test_a_secret_that_does_not_exist_is_a_warning_until_it_is_published():
    text = """\
    steps:
      - id: a
        uses: http-request@1
        with: {url: "https://a.example", text: "${{ secret.ledgr }} ${{ vars.who }}"}
    """
    names = {"secrets": frozenset({"ledger"}), "variables": frozenset({"whom"})}
    cards = KNOWN.connectors

    draft = checked(text, Known(cards, **names))
    published = checked(text, Known(cards, **names, publishing=True))

    assert {each.rule for each in draft.warnings} == {"unknown-secret", "unknown-variable"}
    assert {each.did_you_mean for each in draft.warnings} == {"ledger", "whom"}
    assert draft.document is not None
    assert draft.document.secrets == ("ledgr",)
    assert draft.document.variables == ("who",)
    assert rules(published) == {"unknown-secret", "unknown-variable"}


@pytest.mark.parametrize(
    ("webhook", "rule"),
    [
        ("{path: a}", "verify-missing"),
        ("{verify: {scheme: none}}", "key-missing"),
        ("{path: a/b, verify: {scheme: none}}", "bad-path"),
        ("{path: '${{ input.x }}', verify: {scheme: none}}", "expression-not-here"),
        ("{path: a, verify: {scheme: md5}}", "not-one-of"),
        ("{path: a, verify: {scheme: github}}", "key-missing"),
        ("{path: a, verify: {scheme: github, secret: hunter2}}", "secret-expected"),
        ("{path: a, verify: {scheme: github, secret: 'x${{ secret.a }}'}}", "secret-expected"),
        ("{path: a, verify: {scheme: github, secret: '${{ vars.a }}'}}", "unknown-name"),
        ("{path: a, verify: {scheme: none, secret: '${{ secret.a }}'}}", "unknown-key"),
        ("{path: a, verify: {scheme: none}, respond: maybe}", "not-one-of"),
        ("{path: a, verify: {scheme: none}, timeout: 5s}", "timeout-without-result"),
        ("{path: a, verify: {scheme: none}, respond: result, timeout: 2m}", "out-of-range"),
        ("{path: a, verify: {scheme: none}, headers: [Authorization]}", "header-not-allowed"),
        ("{path: a, verify: {scheme: none}, headers: [1]}", "bad-name"),
        ("{path: a, verify: {scheme: none}, with: '${{ execution.id }}'}", "unknown-name"),
        ("{path: a, verify: {scheme: none}, method: GET}", "unknown-key"),
    ],
)
def test_a_webhook_that_breaks_a_rule_is_refused_by_that_rule_alone(webhook, rule):
    assert rules(checked(f"on: [{{webhook: {webhook}}}]\n{SET}")) == {rule}


def test_a_webhook_that_anybody_can_call_is_warned_about():
    found = checked(f"on: [{{webhook: {{path: a, verify: {{scheme: none}}}}}}]\n{SET}")

    assert only(found.warnings).rule == "verify-none"


def test_two_webhooks_of_one_document_have_two_paths():
    hook = "{webhook: {path: a, verify: {scheme: none}}}"

    assert rules(checked(f"on: [{hook}, {hook}]\n{SET}")) == {"path-taken"}


def test_a_host_that_is_written_out_must_be_in_egress():
    text = """\
    egress: [api.example]
    steps:
      - {id: a, uses: http-request@1, with: {url: "https://api.example/x/${{ input.id }}"}}
      - {id: b, uses: http-request@1, with: {url: "https://${{ input.host }}/x"}}
      - {id: c, uses: http-request@1, with: {url: "https://other.example"}}
    """

    problem = only(checked(text).problems)

    assert (problem.rule, problem.found) == ("host-not-in-egress", "other.example")


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("https://a.example", ("a.example",)),
        ("HTTP://A.Example:8080/x", ("a.example:8080",)),
        ("https://u:p@a.example/x", ("a.example",)),
        ("https://a.example${{ input.rest }}", ()),
        ("https://a.${{ input.rest }}/x", ()),
        ("${{ vars.base }}/x", ()),
    ],
)
def test_only_a_host_that_is_surely_meant_is_noted(url, hosts):
    text = f'steps: [{{id: a, uses: http-request@1, with: {{url: "{url}"}}}}]\n'
    found = checked(text).document

    assert found is not None
    assert found.hosts == hosts


@pytest.mark.parametrize(
    ("with_", "rule"),
    [
        ("{}", "key-missing"),
        ("{url: 5}", "input-invalid"),
        ("{url: 'https://a.example', method: FETCH}", "input-invalid"),
        ("{url: 'https://a.example', headers: {a: 1}}", "input-invalid"),
        ("{url: 'https://a.example', headers: '${{ input.h }}'}", None),
        ("{url: 'https://a.example', body: x}", "unknown-key"),
        ("'${{ input }}'", "wrong-type"),
    ],
)
def test_what_is_written_for_a_connector_fits_its_card(with_, rule):
    found = checked(f"steps: [{{id: a, uses: http-request@1, with: {with_}}}]\n")

    assert rules(found) == ({rule} if rule else set())


@pytest.mark.parametrize(
    ("retry", "rule"),
    [
        ("{attempts: 0}", "out-of-range"),
        ("{attempts: 101}", "out-of-range"),
        ("{attempts: '3'}", "wrong-type"),
        ("{attempts: true}", "wrong-type"),
        ("{attempts: '${{ input.n }}'}", "expression-not-here"),
        ("{backoff: linear}", "not-one-of"),
        ("{initial: 1}", "wrong-type"),
        ("{on: [time-out]}", "not-one-of"),
        ("{on: [200]}", "not-one-of"),
        ("{on: ['${{ input.n }}']}", "expression-not-here"),
        ("{tries: 3}", "unknown-key"),
        ("3", "wrong-type"),
    ],
)
def test_a_retry_that_breaks_a_rule_is_refused_by_that_rule_alone(retry, rule):
    step = f"{{id: a, uses: http-request@1, with: {{url: 'https://a.example'}}, retry: {retry}}}"

    assert rules(checked(f"steps: [{step}]\n")) == {rule}


def test_an_unknown_connector_is_refused_when_connectors_are_known():
    text = "steps: [{id: a, uses: email-send@1, with: {to: a}}]\n"

    assert rules(checked(text)) == {"unknown-connector"}
    assert rules(checked(text, Known())) == set()


def test_500_steps_pass_and_501_do_not():
    steps = [{"id": f"s{n}", "set": {"x": n}} for n in range(501)]
    inner = {"id": "all", "for_each": "${{ [1] }}", "as": "one", "steps": steps[:499]}
    good = {"troth": 1, "name": "a", "steps": [inner]}
    bad = {"troth": 1, "name": "a", "steps": [{**inner, "steps": steps[:500]}]}

    assert check(read_document(json.dumps(good), "json")).document is not None
    assert rules(check(read_document(json.dumps(bad), "json"))) == {"too-many-steps"}


def nested(depth: int) -> str:
    block: dict = {"steps": [{"id": "s1", "set": {"x": 1}}]}
    for level in range(2, depth + 1):
        step = {"id": f"s{level}", "for_each": "${{ [1] }}", "as": f"v{level}", **block}
        block = {"steps": [step]}
    return json.dumps({"troth": 1, "name": "a", **block})


def test_blocks_may_be_10_deep_and_not_11():
    assert check(read_document(nested(10), "json")).document is not None
    assert rules(check(read_document(nested(11), "json"))) == {"too-deep"}


def test_a_value_may_be_40_deep():
    def text(depth: int) -> str:
        return "troth: 1\nname: a\nsteps:\n- id: a\n  set: {x: " + "[" * depth + "]" * depth + "}\n"

    assert check(read_document(text(36), "yaml")).document is not None
    with pytest.raises(SourceError, match="deeper than 40"):
        read_document(text(37), "yaml")


HOSTILE = {
    "thousands of expressions in one text": "x: '" + "${{input.a}}" * 20_000 + "'",
    "thousands of unknown names": "x: ['"
    + "','".join(f"${{{{n{n}}}}}" for n in range(12_000))
    + "']",
    "thousands of unknown keys": ", ".join(f"'${{{{ k{n} }}}}': 1" for n in range(8_000)),
    "one very long name": "x: '${{ " + "a" * 3000 + " }}'",
    "thousands of openings": "x: '" + "${{" * 60_000 + "'",
    "many quotes in an expression": "x: '${{ " + '"' * 50_001 + " }}'",
}


@pytest.mark.parametrize("inner", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_document_is_answered_with_few_problems_in_a_moment(inner):
    text = f"troth: 1\nname: a\nsteps:\n- {{id: a, set: {{{inner}}}}}\n"
    begin = time.process_time()

    found = check(read_document(text, "yaml"))

    assert len(found.problems) <= 50
    assert sum(len(json.dumps(each.as_dict())) for each in found.problems) < 100_000
    assert time.process_time() - begin < 20  # some take a second; what is quadratic takes hours


def test_the_pointer_of_a_problem_below_a_very_long_key_stays_short():
    value = {"troth": 1, "name": "a", "steps": [{"id": "s", "set": {"k" * 200_000: "${{ no }}"}}]}

    problem = only(check(read_document(json.dumps(value), "json")).problems)

    assert problem.pointer == "/steps/0/set"


def test_alternatives_that_double_at_each_step_end_as_unknown():
    steps = [{"id": "s0", "set": {"x": 1}}]
    for n in range(1, 60):
        output = {"output": {"x": f"${{{{ s{n - 1} }}}}"}, "steps": []}
        branches = [{"when": "${{ true }}", **output}] * 2
        steps.append({"id": f"s{n}", "choose": branches, "else": output})
    steps.append({"id": "last", "set": {"y": "${{ s59" + ".x" * 59 + ".nope }}"}})
    text = json.dumps({"troth": 1, "name": "a", "steps": steps})
    begin = time.process_time()

    check(read_document(text, "json"))

    assert time.process_time() - begin < 20
