"""Runnable examples of the language reference: steps and the blocks in them."""

STEPS: dict[str, str] = {
    "set": """\
steps:
  - id: greeting
    title: What is said
    set: {text: "Hello ${{ upper(get(input, 'name', 'world')) }}", length: 11}
""",
    "uses": """\
steps:
  - id: posted
    title: Tells the ledger
    uses: http-request@1
    with: {method: POST, url: "https://api.example.com/lines", json: "${{ input }}"}
    retry: {attempts: 5, on: [timeout, 5xx]}
    timeout: 10s
    deadline: 10m
    once: false
    undo:
      uses: http-request@1
      with: {method: DELETE, url: "https://api.example.com/lines/${{ posted.json.id }}"}
""",
    "retry": """\
steps:
  - id: fetched
    uses: http-request@1
    with: {url: "https://api.example.com/prices"}
    retry: {attempts: 8, backoff: exponential, initial: 1s, max: 5m, on: [timeout, 429, 5xx],
            then: pause}
""",
    "undo": """\
steps:
  - id: booked
    uses: http-request@1
    with: {method: POST, url: "https://api.example.com/bookings", json: {seat: 7}}
    undo:
      uses: http-request@1
      with: {method: DELETE, url: "https://api.example.com/bookings/${{ booked.json.id }}"}
      retry: {attempts: 10, initial: 5s}
      timeout: 20s
""",
    "choose": """\
steps:
  - id: size
    title: Large or small
    choose:
      - when: ${{ get(input, "amount", 0) > 1000 }}
        steps: []
        output: large
    else: {steps: [], output: small}
""",
    "branch": """\
steps:
  - id: size
    choose:
      - when: ${{ get(input, "amount", 0) > 1000 }}
        name: a large one
        steps:
          - {id: fee, set: {amount: "${{ input.amount * 0.01 }}"}}
        output: {fee: "${{ fee.amount }}"}
""",
    "for_each": """\
steps:
  - id: squares
    title: Squares
    for_each: ${{ range(10) }}
    as: n
    index_as: at
    concurrency: 5
    failures: collect
    steps:
      - {id: square, set: {value: "${{ n * n }}", at: "${{ at }}"}}
    output: ${{ square.value }}
""",
    "pages": """\
steps:
  - id: customers
    for_each:
      uses: http-request@1
      with: {url: "https://api.example.com/customers", query: {after: "${{ '' if page == null else
             page.json.next }}"}}
      items: ${{ page.json.rows }}
      next: ${{ page.json.next }}
      limit: 5000
    as: customer
    steps:
      - {id: name, set: {text: "${{ customer.name }}"}}
    output: ${{ name.text }}
""",
    "parallel": """\
steps:
  - id: both
    title: Two at once
    failures: stop
    parallel:
      prices:
        steps: [{id: price, uses: http-request@1, with: {url: "https://api.example.com/prices"}}]
        output: ${{ price.json }}
      stock:
        steps: [{id: count, uses: http-request@1, with: {url: "https://api.example.com/stock"}}]
        output: ${{ count.json }}
output: {prices: "${{ both.prices }}", stock: "${{ both.stock }}"}
""",
    "block": """\
steps:
  - id: size
    choose:
      - {when: "${{ true }}", steps: [{id: one, set: {x: 1}}], output: {x: "${{ one.x + 1 }}"}}
output: ${{ size.x }}
""",
    "try": """\
steps:
  - id: paid
    title: Pays or says why not
    try:
      steps: [{id: call, uses: http-request@1, with: {url: "https://api.example.com/pay"}}]
      output: {ok: true}
    catch:
      - {on: [timeout], steps: [], output: {ok: false}}
    finally:
      steps: [{id: logged, set: {done: true}}]
""",
    "handler": """\
steps:
  - id: paid
    try:
      steps: [{id: call, uses: http-request@1, with: {url: "https://api.example.com/pay"}}]
    catch:
      - on: [timeout, connection, expression]
        undo: false
        steps: [{id: why, set: {text: "${{ error.type }} in ${{ error.step }}"}}]
        output: {why: "${{ why.text }}"}
""",
    "wait": """\
steps:
  - {id: pause, title: A moment, wait: {for: 2s}}
  - {id: morning, wait: {until: "${{ add_time(now(), '12h') }}"}}
  - id: paid
    wait:
      event: {type: custom.paid, match: "${{ event.data.invoice == input.invoice }}",
              look_back: 1h}
      timeout: 3d
      on_timeout: continue
output: {paid: "${{ paid.reason == 'event' }}"}
""",
    "approval": """\
steps:
  - id: ok
    title: Somebody agrees
    approval:
      by: ["role:admin", "role:owner"]
      quorum: 2
      message: Pay ${{ get(input, "amount", 0) }}?
      input:
        schema: {type: object, properties: {amount: {type: number}}}
        value: {amount: "${{ get(input, 'amount', 0) }}"}
      timeout: 3d
      on_timeout: reject
      on_reject: continue
      remind: 1d
      not_the_starter: true
output: {paid: "${{ ok.decision == 'approved' }}", amount: "${{ get(ok.input, 'amount', 0) }}"}
""",
    "workflow": """\
steps:
  - id: triage
    title: Another workflow
    workflow: invoice-triage
    version: 3
    with: {lines: []}
  - {id: report, workflow: nightly-report, version: latest, detached: true}
output: {amount: "${{ triage.amount }}", report: "${{ report.execution }}"}
""",
    "python": """\
steps:
  - id: median
    title: Not in the language
    python: |
      answer = http_request(method="GET", url=where)
      numbers = sorted(answer["json"])
      return {"median": numbers[len(numbers) // 2] if numbers else None}
    with: {where: "https://api.example.com/numbers"}
    uses: [http-request@1]
    timeout: 20s
output: ${{ median.median }}
""",
}
