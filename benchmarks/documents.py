"""The workflows that are measured, and what is sent to them."""

import json

HOOK_SECRET = "bench_hook"
"""Hooks are signed by the scheme `token`: one comparison, and the secret is opened as always."""

_VERIFY = 'verify: {scheme: token, secret: "${{ secret.bench_hook }}"}'

ANSWER = f"""
troth: 1
name: bench-answer
input:
  type: object
  required: [n, name]
  additionalProperties: false
  properties:
    n: {{type: integer}}
    name: {{type: string, maxLength: 100}}
on:
  - webhook: {{path: bench-answer, {_VERIFY}, respond: result, timeout: 30s}}
steps:
  - id: fields
    set: {{double: "${{{{ input.n * 2 }}}}", greeting: "Hello ${{{{ input.name }}}}"}}
  - id: size
    choose:
      - when: ${{{{ input.n > 3 }}}}
        steps: []
        output: large
    else:
      steps: []
      output: small
  - id: sum
    set: {{value: "${{{{ fields.double + 1 }}}}"}}
output: {{value: "${{{{ sum.value }}}}", size: "${{{{ size }}}}", greeting: "${{{{ fields.greeting }}}}"}}
"""

BURST = f"""
troth: 1
name: bench-burst
on:
  - webhook: {{path: bench-burst, {_VERIFY}}}
steps:
  - id: one
    set: {{double: "${{{{ input.n * 2 }}}}"}}
  - id: two
    choose:
      - when: ${{{{ one.double > 10 }}}}
        steps: []
        output: large
    else:
      steps: []
      output: small
  - id: three
    set: {{text: "${{{{ input.name }}}} is ${{{{ two }}}}"}}
  - id: four
    choose:
      - when: ${{{{ len(three.text) > 200 }}}}
        steps: []
        output: long
    else:
      steps: []
      output: short
  - id: five
    set: {{all: ["${{{{ one.double }}}}", "${{{{ two }}}}", "${{{{ four }}}}"]}}
output: ${{{{ five.all }}}}
"""

LOOP = f"""
troth: 1
name: bench-loop
on:
  - webhook: {{path: bench-loop, {_VERIFY}, respond: result, timeout: 60s}}
steps:
  - id: items
    for_each: ${{{{ range(input.n) }}}}
    as: nr
    steps:
      - id: double
        set: {{value: "${{{{ nr * 2 }}}}"}}
    output: ${{{{ double.value }}}}
output: {{items: "${{{{ len(items) }}}}"}}
"""

WAITING = f"""
troth: 1
name: bench-waiting
on:
  - webhook: {{path: bench-waiting, {_VERIFY}}}
steps:
  - id: pause
    wait: {{for: 5s}}
output: {{name: "${{{{ input.name }}}}"}}
"""

ALL = (ANSWER, BURST, LOOP, WAITING)


def body(n: int, marker: str) -> bytes:
    """What a call carries; the marker must be nowhere in the log."""
    return json.dumps({"n": n, "name": marker}).encode()


def hook_request(address: str, organization: str, path: str, secret: str, sent: bytes) -> str:
    """A call of a hook as it goes over the wire, in latin-1."""
    head = (
        f"POST /hooks/{organization}/{path} HTTP/1.1\r\n"
        f"host: {address.removeprefix('http://')}\r\n"
        f"authorization: Bearer {secret}\r\n"
        "content-type: application/json\r\n"
        f"content-length: {len(sent)}\r\n\r\n"
    )
    return head + sent.decode("latin-1")
