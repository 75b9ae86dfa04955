"""Warnings at save of limits that will be hit at run time."""

import textwrap

import pytest

from tests.unit.language.judging import judged

CALL = "uses: http-request@1, with: {url: 'https://a.example'}"
PAGED = f"{{{CALL}, items: '${{{{ page.json }}}}', next: '${{{{ null }}}}', limit: 500}}"
CASES: list[tuple[str, str, list[str]]] = [
    # above the steps, the step, where a warning points
    ("budget: {steps: 10}", "for_each: '${{ range(11) }}', as: n, steps: []", ["for_each"]),
    ("budget: {steps: 10}", "for_each: '${{ range(10) }}', as: n, steps: []", []),
    ("budget: {steps: 3}", "for_each: '${{ [1, 2, 3, 4] }}', as: n, steps: []", ["for_each"]),
    ("budget: {steps: 15}", "for_each: '${{ range(10) }}', as: n, steps: [{id: x, set: {}},"
     " {id: y, set: {}}]", ["for_each"]),
    ("budget: {steps: 50}", "for_each: '${{ range(10) }}', as: n, steps: [{id: x,"
     " for_each: '${{ range(10) }}', as: m, steps: []}]", ["for_each"]),
    ("budget: {steps: 50}", "for_each: '${{ range(10) if true else [] }}', as: n, steps: []", []),
    ("", "for_each: '${{ range(10001) }}', as: n, steps: []", ["for_each"]),
    ("budget: {steps: 100}", f"for_each: {PAGED}, as: n, steps: []", ["for_each"]),
    ("", f"for_each: {PAGED}, as: n, steps: []", []),
    ("timeout: 1h", "wait: {for: 2h}", ["wait/for"]),
    ("timeout: 1h", "wait: {for: 1h}", []),
    ("timeout: 1h", "wait: {for: '${{ vars.x }}'}", []),
    ("budget: {duration: 1h}", "wait: {for: 2h}", ["wait/for"]),
    ("timeout: 1h", "wait: {event: {type: custom.a}, timeout: 2h}", ["wait/timeout"]),
    ("", "wait: {for: 2h, timeout: 1h}", ["wait/for"]),
    ("timeout: 1h", "approval: {by: ['role:admin'], message: x, timeout: 2h}",
     ["approval/timeout"]),
    ("timeout: 1h", "approval: {by: ['role:admin'], message: x}", []),
    ("", "approval: {by: ['role:admin'], message: x, timeout: 1h, remind: 1h}",
     ["approval/remind"]),
    ("timeout: 1h", f"{CALL}, deadline: 2h", ["deadline"]),
    ("", f"{CALL}, timeout: 1m, deadline: 30s", ["deadline"]),
    ("", f"{CALL}, retry: {{attempts: 5, initial: 1m, max: 1h}}, deadline: 14m", ["retry"]),
    ("", f"{CALL}, retry: {{attempts: 5, initial: 1m, max: 1h}}, deadline: 15m", []),
    ("", f"{CALL}, retry: {{attempts: 5, initial: 1m, backoff: fixed}}, deadline: 1m", ["retry"]),
    ("", "workflow: case", ["workflow"]),
    ("", "choose: [{when: '${{ true }}', steps: [{id: x, workflow: case}]}]", []),
]  # fmt: skip


@pytest.mark.parametrize(("above", "step", "places"), CASES)
def test_a_limit_that_will_be_hit_is_warned_about_where_it_is(above, step, places):
    found = judged(f"troth: 1\nname: case\n{above}\nsteps:\n  - {{id: a, {step}}}\n")

    assert found.problems == []
    assert [w.rule for w in found.warnings] == ["limit-reached"] * len(places)
    assert [w.pointer for w in found.warnings] == [f"/steps/0/{place}" for place in places]
    assert all(w.line == 5 for w in found.warnings)


def test_limits_are_warned_about_in_every_block():
    text = """\
        troth: 1
        name: case
        timeout: 1h
        steps:
          - id: both
            parallel: {one: {steps: [{id: a, wait: {for: 2h}}]}}
          - id: safe
            try: {steps: [{id: b, wait: {for: 2h}}]}
            catch: [{steps: [{id: c, wait: {for: 2h}}]}]
            finally: {steps: [{id: d, wait: {for: 2h}}]}
        on_error: {steps: [{id: e, wait: {for: 2h}}]}
        """

    found = judged(textwrap.dedent(text))

    assert len(found.warnings) == 5
