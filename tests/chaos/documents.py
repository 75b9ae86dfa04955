"""The workflows of the load: pure ones, one that posts, one that waits, and those of `blocks`."""

from tests.chaos.blocks import BLOCKS

_PURE = """\
troth: 1
name: {name}
input: {{type: object, required: [n], properties: {{n: {{type: integer}}}}}}
on:
  - webhook: {{path: {name}, verify: {{scheme: none}}, respond: {respond}}}
steps:
  - id: twice
    set: {{value: "${{{{ input.n * 2 }}}}"}}
  - id: kind
    choose:
      - when: ${{{{ twice.value % 4 == 0 }}}}
        steps: []
        output: four
    else: {{steps: [], output: two}}
  - id: more
    set: {{value: "${{{{ twice.value + 1 }}}}"}}
  - id: size
    choose:
      - when: ${{{{ more.value > 1000 }}}}
        steps: []
        output: big
    else: {{steps: [], output: small}}
  - id: total
    set: {{value: "${{{{ more.value + twice.value }}}}"}}
output: {{sum: "${{{{ total.value }}}}", kind: "${{{{ kind }}}}", size: "${{{{ size }}}}"}}
"""

POSTS = """\
troth: 1
name: posts
input: {type: object, required: [items], properties: {items: {type: array}}}
on:
  - webhook: {path: posts, verify: {scheme: none}}
steps:
  - id: each
    for_each: ${{ input.items }}
    as: one
    concurrency: 2
    steps:
      - id: post
        uses: http-request@1
        with: {method: POST, url: "${{ vars.receiver }}/effects", json: "${{ one }}"}
        retry: {attempts: 8, backoff: fixed, initial: 100ms, max: 1s,
                on: [timeout, connection, server-error]}
        timeout: 10s
    output: ${{ post.status }}
output: ${{ len(each) }}
"""

WAITS = """\
troth: 1
name: waits
input: {type: object, required: [pause], properties: {pause: {type: string}}}
on:
  - webhook: {path: waits, verify: {scheme: none}}
steps:
  - id: before
    set: {n: 1}
  - id: pause
    wait: {for: "${{ input.pause }}"}
  - id: after
    set: {n: "${{ before.n + 1 }}"}
output: ${{ after.n }}
"""

DOCUMENTS = {
    "sums": _PURE.format(name="sums", respond="accepted"),
    "answers": _PURE.format(name="answers", respond="result, timeout: 20s"),
    "posts": POSTS,
    "waits": WAITS,
} | BLOCKS


def sum_of(n: int) -> dict[str, object]:
    """What the pure workflows answer."""
    twice = 2 * n
    return {
        "sum": 2 * twice + 1,
        "kind": "four" if twice % 4 == 0 else "two",
        "size": "big" if twice + 1 > 1000 else "small",
    }
