"""The input: what this installation depends on, with versions and licences."""

import re
from importlib.metadata import Distribution, distributions

from cli.demo.failed import DemoFailed

Packages = list[dict[str, str]]
SHORT = {"name": 200, "version": 100, "license": 500}


def find() -> Packages:
    """Every distribution beside this one, by name, as the packages themselves declare it."""
    found = {}
    for one in distributions():
        name = one.metadata["Name"]
        if name:
            key = re.sub(r"[-_.]+", "-", name).lower()
            found.setdefault(key, {"name": key, "version": one.version, "license": licence_of(one)})
    if not found:
        raise DemoFailed(
            "no installed distribution was found: run it in the virtual environment (`make demo`)"
        )
    return [
        {field: value[: SHORT[field]] for field, value in found[key].items()}
        for key in sorted(found)
    ]


def licence_of(one: Distribution) -> str:
    """The SPDX expression, else the classifiers, else the first line of the old field."""
    about = one.metadata
    if expression := about.get_all("License-Expression"):
        return expression[0]
    classified = [
        entry.rpartition(" :: ")[2]
        for entry in about.get_all("Classifier") or ()
        if entry.startswith("License ::")
    ]
    if classified:
        return " / ".join(classified)
    lines = "".join(about.get_all("License") or ()).strip().splitlines()
    return lines[0] if lines else "not declared"
