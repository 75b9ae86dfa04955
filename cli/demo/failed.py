"""How a demo ends before its end."""


class DemoFailed(Exception):
    """Something is missing; the text says what, and what to do."""


class Interrupted(Exception):
    """Ctrl-C or SIGTERM came."""
