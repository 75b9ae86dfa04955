"""The names that nobody may take: roots of every scope, words of the language and of Python."""

import keyword

ROOT_NAMES = frozenset({"input", "trigger", "execution", "workflow", "vars"})
LITERALS = {"true": True, "false": False, "null": None}
RESERVED = (
    ROOT_NAMES
    | frozenset(LITERALS)
    | {"error", "event", "page", "secret", "item", "loop", "self", "env", "steps", "output"}
    | frozenset(keyword.kwlist)
)
