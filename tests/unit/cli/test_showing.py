"""What commands print: tables, lengths of time, timelines, problems."""

import click
from click.testing import CliRunner

from cli.client import Refused
from cli.output import length, plain_table, say_json, table, text_of
from cli.problems import document_lines, refusal_lines, refusals_end_the_command
from cli.timeline import ending, line_of

STARTED = "2026-11-21T10:00:00.000Z"


def entry(**more):
    base = dict.fromkeys(("step", "attempt", "status", "error", "due_at", "duration_ms", "by"))
    return base | {"kind": "step", "at": "2026-11-21T10:00:01.250Z"} | more


def test_columns_begin_under_each_other_and_nothing_is_cut():
    lines = plain_table(("A", "LONGER"), [["x" * 200, "1"], ["y", "2"]])

    assert lines[0].index("LONGER") == lines[1].index("1") == lines[2].index("2")
    assert "x" * 200 in lines[1]


def test_a_table_without_a_terminal_has_no_colours(capsys):
    table(("STATUS",), [("failed",)])

    assert capsys.readouterr().out == "STATUS\nfailed\n"


def test_what_could_move_the_cursor_is_not_printed():
    assert text_of("a\x1b[2Jb\nc") == "a [2Jb c"


def test_nothing_is_shown_as_a_dash_and_a_flag_as_a_word():
    assert [text_of(value) for value in (None, True, False, 0)] == ["-", "yes", "no", "0"]


def test_lengths_are_read_by_people():
    said = [length(ms) for ms in (None, 3, 999, 1500, 180_000, 7_200_000)]

    assert said == ["-", "3 ms", "999 ms", "1.5 s", "3 min", "2.0 h"]


def test_a_line_of_the_timeline_says_when_what_and_how():
    line = line_of(
        entry(kind="effect-ended", step="post[3]", status="failed", attempt=2, duration_ms=40,
              error={"type": "server-error"}), STARTED,
    )  # fmt: skip

    assert line.split() == [
        "1.250", "s", "effect-ended", "post[3]", "failed", "attempt", "2", "40", "ms", "error",
        "server-error",
    ]  # fmt: skip


def test_a_step_that_ran_before_its_start_was_committed_is_not_before_it():
    line = line_of(entry(at="2026-11-21T09:59:59.990Z"), STARTED)

    assert line.split()[0] == "0.000"


def test_the_last_line_names_the_step_that_failed():
    shown = {
        "id": "exe_1", "status": "failed", "duration_ms": 12, "steps_count": 3,
        "effects_count": 1, "error": {"type": "timeout", "step": "post[0]"},
    }  # fmt: skip

    assert ending(shown) == "exe_1 failed after 12 ms; 3 steps, 1 effects; timeout in post[0]"


def test_a_problem_of_a_document_is_shown_like_a_compilers():
    text = "troth: 1\nname: x\nsteps:\n  - id: a\n    retries: 3\n"
    problem = {
        "pointer": "/steps/0/retries", "line": 5, "column": 5, "rule": "unknown-key",
        "detail": "there is no key 'retries' here", "found": "retries", "did_you_mean": "retry",
    }  # fmt: skip

    (shown,) = document_lines([problem], text, "x.yaml")

    assert shown.splitlines() == [
        "x.yaml:5:5: unknown-key: there is no key 'retries' here",
        "  5 |     retries: 3",
        "    |     ^^^^^^^",
        "  did you mean: retry",
    ]


def test_a_refusal_names_field_and_request():
    problem = {
        "code": "invalid-input", "detail": "1 field does not fit", "request_id": "req_1",
        "errors": [{"pointer": "/name", "detail": "is missing", "did_you_mean": "nam"}],
    }  # fmt: skip

    lines = refusal_lines(Refused(422, problem))

    assert lines == [
        "troth: 1 field does not fit (invalid-input)", "  /name: is missing",
        "    did you mean: nam", "  request req_1",
    ]  # fmt: skip


def test_a_refusal_ends_a_command_without_a_trace():
    @click.command()
    @refusals_end_the_command
    def refused():
        raise Refused(403, {"code": "permission-missing", "detail": "this needs x:y"})

    result = CliRunner().invoke(refused)

    assert result.exit_code == 1
    assert result.stderr == "troth: this needs x:y (permission-missing)\n"


def test_json_for_programs_is_one_line(capsys):
    say_json({"a": [1, "ä"]})

    assert capsys.readouterr().out == '{"a": [1, "ä"]}\n'
