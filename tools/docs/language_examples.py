"""Runnable examples of the language reference: one document for each part, checked by a test."""

from tools.docs.language_examples_steps import STEPS

HEAD = "troth: 1\nname: {name}\n"

DOCUMENT = """\
troth: 1
name: invoice-triage
title: Invoice triage
description: Adds up an invoice and says whether somebody should look.
labels: {team: finance}
input:
  type: object
  required: [lines]
  additionalProperties: false
  properties:
    lines: {type: array, items: {type: object}}
on:
  - event: {type: custom.invoice-received}
concurrency: {limit: 20}
debounce: {window: 5s}
rate: {limit: 100, per: 1m}
priority: 1
budget: {steps: 1000}
egress: [api.example.com]
timeout: 2h
steps:
  - id: total
    set: {amount: "${{ sum([l.price * l.count for l in input.lines]) }}"}
on_error:
  steps:
    - id: tell
      uses: http-request@1
      with: {method: POST, url: "https://api.example.com/failed", text: "${{ error.message }}"}
output: {amount: "${{ total.amount }}", look: "${{ total.amount > 1000 }}"}
tests:
  - name: an empty invoice
    input: {lines: []}
    expect: {output: {amount: 0, look: false}}
"""
ONE_STEP = 'steps:\n  - {id: seen, set: {input: "${{ input }}"}}\n'
ABOVE: dict[str, str] = {
    "trigger": """\
on:
  - {id: hook, webhook: {path: orders, verify: {scheme: none}}}
  - {id: nightly, schedule: {cron: "0 2 * * *"}}
  - {id: order, event: {type: custom.order}}
""",
    "webhook": """\
on:
  - webhook:
      path: orders
      verify: {scheme: github, secret: "${{ secret.hook }}"}
      respond: result
      timeout: 15s
      headers: [x-github-event]
      query: [page]
      with: {order: "${{ input }}", kind: "${{ trigger.headers }}"}
""",
    "verify": """\
on:
  - webhook:
      path: orders
      verify: {scheme: token, secret: "${{ secret.hook }}", header: X-Token}
""",
    "schedule": """\
on:
  - schedule: {cron: "0 9 * * MON-FRI", timezone: Europe/Vilnius, missed: run-once,
               with: {day: "${{ trigger.at }}"}}
""",
    "event": """\
on:
  - event: {type: custom.order.*, match: "${{ event.data.amount > 0 }}",
            with: {amount: "${{ event.data.amount }}"}}
""",
    "concurrency": """\
concurrency: {key: "${{ get(input, 'customer', '') }}", limit: 1, then: queue}
""",
    "debounce": """\
debounce: {key: "${{ get(input, 'customer', '') }}", window: 10s, max: 5m, collect: true}
""",
    "rate": """\
rate: {key: "${{ get(input, 'customer', '') }}", limit: 60, per: 1m, then: queue}
""",
    "budget": """\
budget: {steps: 1000, duration: 7d}
""",
    "test": """\
tests:
  - name: what is given is seen
    input: {a: 1}
    vars: {place: here}
    mocks: {seen: {input: 5}}
    expect: {steps: {seen: {input: 5}}}
""",
    "expect": """\
tests:
  - name: it fails
    expect:
      outcome: failed
      error: {type: timeout, message: "nothing came", step: post, path: "post[3]", attempts: 3,
              status: 504}
  - name: it goes well
    expect: {output: {seen: {input: {}}}, steps: {seen: {input: {}}}, effects: []}
""",
}


def example(part: str) -> str:
    """A whole document that shows a part of the language."""
    if part == "document":
        return DOCUMENT
    head = HEAD.format(name=f"shows-{part.replace('_', '-')}")
    if part in ABOVE:
        return f"{head}{ABOVE[part]}{ONE_STEP}"
    return f"{head}{STEPS[part]}"
