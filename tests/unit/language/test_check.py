"""The checker: places of problems, suggestions, warnings, and what paths lead to."""

import textwrap

import pytest

from libs.language.check import Checked, Known, Problem, check, explain
from libs.language.source import SourceError, read_document
from tests.unit.language.judging import KNOWN, judged

SET = "steps: [{id: a, set: {x: 1}}]\n"


def checked(text: str, known: Known = KNOWN) -> Checked:
    whole = f"troth: 1\nname: case\n{textwrap.dedent(text)}"
    return judged(whole, known)


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
    cards, secrets, variables = KNOWN.connectors, frozenset({"ledger"}), frozenset({"whom"})

    draft = checked(text, Known(cards, secrets, variables))
    published = checked(text, Known(cards, secrets, variables, publishing=True))

    assert {each.rule for each in draft.warnings} == {"unknown-secret", "unknown-variable"}
    assert {each.did_you_mean for each in draft.warnings} == {"ledger", "whom"}
    assert draft.document is not None
    assert draft.document.secrets == ("ledgr",)
    assert draft.document.variables == ("who",)
    assert rules(published) == {"unknown-secret", "unknown-variable"}
