"""`troth test`: what it says, and how it exits."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from cli.main import main

GOOD = """troth: 1
name: good
steps: [{id: a, set: {x: "${{ input.n }}"}}]
output: ${{ a.x }}
tests: [{name: as it is, input: {n: 1}, expect: {output: 1}}]
"""
BAD = GOOD.replace("name: good", "name: bad").replace("output: 1}}", "output: 2}}")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(*arguments):
    return CliRunner().invoke(main, ["test", *arguments])


def test_passing_tests_exit_with_0(folder):
    (folder / "good.yaml").write_text(GOOD)

    said = invoke()

    assert said.exit_code == 0, said.output
    assert "passed  as it is" in said.output and "1 test, 0 failed" in said.output


def test_a_failing_test_says_what_differs_and_exits_with_1(folder):
    (folder / "bad.yaml").write_text(BAD)

    said = invoke("bad.yaml")

    assert said.exit_code == 1
    assert "FAILED  as it is" in said.output
    assert "/output: different" in said.output and "expected  2" in said.output


def test_a_file_with_problems_exits_with_2(folder):
    (folder / "wrong.yaml").write_text("troth: 1\nname: wrong\nsteps: [{id: a}]\n")

    said = invoke("wrong.yaml")

    assert said.exit_code == 2 and "wrong.yaml:" in said.output


def test_programs_get_json_and_build_servers_junit(folder):
    (folder / "bad.yaml").write_text(BAD)
    (folder / "good.yaml").write_text(GOOD)
    (folder / "notes.txt").write_text("nothing")

    said = invoke("--json", "--junit", "results.xml")

    found = json.loads(said.stdout)
    assert [(one["workflow"], one["cases"][0]["passed"]) for one in found] == [
        ("bad", False), ("good", True),
    ]  # fmt: skip
    suites = ElementTree.parse(folder / "results.xml").getroot()
    assert [suite.get("failures") for suite in suites] == ["1", "0"]
    assert suites.find("testsuite/testcase/failure") is not None


def test_the_examples_pass_their_tests():
    said = invoke(str(Path(__file__).parents[3] / "examples"))

    assert said.exit_code == 0, said.output
