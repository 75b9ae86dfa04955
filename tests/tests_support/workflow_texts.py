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
