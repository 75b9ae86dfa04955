"""Small documents for tests."""


def hello(greeting: str = "hello") -> str:
    """One step, no trigger."""
    return f'troth: 1\nname: hello\nsteps:\n  - id: greet\n    set: {{text: "{greeting}"}}\n'


def hook(name: str, path: str, verify: str = "{scheme: none}") -> str:
    """One webhook, one step."""
    return (
        f"troth: 1\nname: {name}\non:\n  - webhook: {{path: {path}, verify: {verify}}}\n"
        "steps:\n  - id: greet\n    set: {text: hello}\n"
    )


def scheduled(name: str, cron: str, missed: str = "skip", trigger_id: str | None = None) -> str:
    """One schedule, one step."""
    named = f"id: {trigger_id}\n    " if trigger_id else ""
    return (
        f'troth: 1\nname: {name}\non:\n  - {named}schedule: {{cron: "{cron}", missed: {missed}}}\n'
        "steps:\n  - id: greet\n    set: {text: hello}\n"
    )


def calling(name: str, *others: str) -> str:
    """A step for each workflow that it calls."""
    steps = "".join(f"  - id: call_{n}\n    workflow: {each}\n" for n, each in enumerate(others))
    return f"troth: 1\nname: {name}\nsteps:\n{steps}"
