"""Results of tests as JUnit XML, which build servers read."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree


def write_junit(file: Path, results: list[dict[str, Any]]) -> None:
    """One suite for each workflow file; a file with problems is a suite with one error."""
    root = ElementTree.Element("testsuites")
    for result in results:
        cases = result["cases"]
        failed = sum(not case["passed"] for case in cases)
        suite = ElementTree.SubElement(
            root, "testsuite", name=result["workflow"] or result["file"], file=result["file"],
            tests=str(len(cases) or len(result["problems"][:1])), failures=str(failed),
            errors=str(len(result["problems"][:1])),
        )  # fmt: skip
        for case in cases:
            _case(suite, result, case)
        if result["problems"]:
            one = ElementTree.SubElement(suite, "testcase", name="the document is right")
            problem = result["problems"][0]
            ElementTree.SubElement(one, "error", message=problem["detail"]).text = "\n".join(
                f"{p['pointer']}: {p['rule']}: {p['detail']}" for p in result["problems"]
            )
    ElementTree.indent(root)
    file.write_bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _case(suite: ElementTree.Element, result: dict[str, Any], case: dict[str, Any]) -> None:
    one = ElementTree.SubElement(
        suite, "testcase", name=case["name"], classname=result["workflow"],
        time=f"{case['duration_ms'] / 1000:.3f}",
    )  # fmt: skip
    if case["passed"]:
        return
    first = case["differences"][0]
    failure = ElementTree.SubElement(
        one, "failure", message=f"{first['pointer']}: {first['detail'] or first['rule']}"
    )
    failure.text = "\n".join(
        f"{d['pointer']}: {d['detail'] or d['rule']}: expected {d['expected']!r}, got {d['got']!r}"
        for d in case["differences"]
    )
