"""The workflows of the load that have effects, people, events and others inside; what each is for
is what `expected` checks of it."""

_HEAD = """\
troth: 1
name: {name}
on:
  - webhook: {{path: {name}, verify: {{scheme: none}}}}
"""
_RETRY = (
    "{attempts: 12, backoff: fixed, initial: 100ms, max: 1s,"
    " on: [timeout, connection, server-error]}"
)


def _post(id: str, path: str, *, at: int, undo: bool = False) -> str:
    """A step at so many spaces that posts; `undo` deletes what was posted."""
    lines = [
        f"- id: {id}", "  uses: http-request@1",
        f'  with: {{method: POST, url: "${{{{ vars.receiver }}}}{path}"}}',
        f"  retry: {_RETRY}", "  timeout: 10s",
    ]  # fmt: skip
    if undo:
        lines += [
            "  undo:", "    uses: http-request@1",
            f'    with: {{method: DELETE, url: "${{{{ vars.receiver }}}}{path}"}}',
        ]  # fmt: skip
    return "\n".join(" " * at + line for line in lines) + "\n"


BOTH = f"""\
{_HEAD.format(name="both")}\
steps:
  - id: at_once
    parallel:
      left:
        steps:
{_post("one", "/effects", at=10)}\
      right:
        steps:
{_post("two", "/effects", at=10)}\
{_post("three", "/effects", at=10)}\
  - id: done
    set: {{n: "${{{{ len(at_once) }}}}"}}
"""

SAGA = f"""\
{_HEAD.format(name="saga")}\
steps:
{_post("first", "/first", at=2, undo=True)}\
  - id: guarded
    try:
      steps:
{_post("inner", "/inner", at=8, undo=True)}\
{_post("maybe", "/${{ 'refuse' if input.caught else 'effects' }}", at=8)}\
    catch:
      - on: [client-error]
        steps: []
        output: {{caught: true}}
    finally:
      steps:
{_post("last", "/effects", at=8)}\
{_post("second", "/second", at=2, undo=True)}\
{_post("final", "/${{ 'refuse' if input.failed else 'effects' }}", at=2)}\
on_error:
  steps:
{_post("told", "/effects", at=4)}\
"""

CODE = f"""\
{_HEAD.format(name="code")}\
steps:
  - id: work
    python: |
      seen = []
      for n in numbers:
          answer = http_request(method="POST", url=where, json={{"n": n}})
          seen.append(n * 2)
      return {{"sum": sum(seen)}}
    with: {{where: "${{{{ vars.receiver }}}}/steady", numbers: "${{{{ input.numbers }}}}"}}
    uses: [http-request@1]
    timeout: 5m
output: ${{{{ work.sum }}}}
"""

CHILD = f"""\
troth: 1
name: child
steps:
{_post("inside", "/effects", at=2)}\
  - id: pause
    wait: {{for: 500ms}}
output: {{n: "${{{{ input.n + 1 }}}}"}}
"""

PARENT = f"""\
{_HEAD.format(name="parent")}\
steps:
  - id: awaited
    workflow: child
    with: {{n: "${{{{ input.n }}}}"}}
  - id: detached
    workflow: child
    with: {{n: 1}}
    detached: true
{_post("after", "/effects", at=2)}\
output: ${{{{ awaited.n }}}}
"""

PAID = f"""\
{_HEAD.format(name="paid")}\
steps:
{_post("before", "/effects", at=2)}\
  - id: payment
    wait: {{event: {{type: custom.paid, match: "${{{{ event.data.order == input.order }}}}"}}}}
{_post("after", "/effects", at=2)}\
"""

ASKS = f"""\
{_HEAD.format(name="asks")}\
steps:
  - id: ok
    approval: {{by: ["role:owner"], message: "Go on with ${{{{ input.n }}}}?"}}
{_post("after", "/effects", at=2)}\
"""

TURNS = f"""\
{_HEAD.format(name="turns")}\
concurrency: {{key: "${{{{ input.who }}}}", limit: 2, then: queue}}
steps:
{_post("begin", "/begin/${{ input.who }}", at=2)}\
{_post("end", "/end/${{ input.who }}", at=2)}\
"""

LISTED = f"""\
{_HEAD.format(name="listed")}\
steps:
  - id: each
    for_each:
      uses: http-request@1
      with: {{url: "${{{{ vars.receiver }}}}/pages",
             query: {{page: "${{{{ 0 if page == null else page.json.next }}}}"}}}}
      items: ${{{{ page.json.rows }}}}
      next: ${{{{ page.json.next }}}}
    as: one
    concurrency: 2
    steps:
{_post("put", "/effects", at=6)}\
    output: ${{{{ put.status }}}}
output: ${{{{ len(each) }}}}
"""

PAGES, ROWS = 3, 2
TURNS_AT_ONCE = 2
BLOCKS = {
    "both": BOTH, "saga": SAGA, "code": CODE, "child": CHILD, "parent": PARENT, "paid": PAID,
    "asks": ASKS, "turns": TURNS, "listed": LISTED,
}  # fmt: skip


def page(number: int) -> dict[str, object]:
    """What the receiver answers when it is asked for a page."""
    rows = [number * ROWS + n for n in range(ROWS)]
    return {"rows": rows, "next": number + 1 if number + 1 < PAGES else None}
