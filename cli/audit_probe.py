"""`troth audit probe`: an entry of each of the six promised categories, made or found."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import click

from cli.client import Api, Refused
from cli.output import json_option, say_json, table
from cli.problems import refusals_end_the_command

TRAIL, OF_THE_INSTANCE = "/v1/audit/events", "/v1/instance/audit-events"
AGAIN_S, LOOKED_AT = 0.5, 100
COLUMNS = ("category", "number", "type", "actor", "organization", "address", "user_agent",
           "request_id", "target", "outcome")  # fmt: skip
Entry = dict[str, Any]


@dataclass(frozen=True)
class Probe:
    """Filters that find such an entry, one after the other; `mine` is one that this run caused.

    `advice` is what to do when none is there.
    """

    filters: tuple[Mapping[str, str], ...]
    advice: str
    mine: bool = False
    path: str = TRAIL


LATE = "wait a minute and try again; then look at `troth readers` and `troth doctor`"
PROBES = {
    "authentication": Probe(
        ({"type": "identity.event.sign-in-refused"},),
        "sign-ins are entries of the instance's trail: be its operator and probe again, or "
        + LATE, mine=True, path=OF_THE_INSTANCE,
    ),
    "API usage": Probe(({"category": "api-usage", "resource": "find-entries"},), LATE, mine=True),
    "workflow execution": Probe(
        ({"category": "execution"},), "run a workflow (`troth run`) and probe again"
    ),
    "integration activity": Probe(
        ({"category": "integration"},),
        "run a workflow that calls something (`http-request@1`) and probe again",
    ),
    "errors": Probe(
        ({"outcome": "failure"}, {"category": "error"}),
        "nothing has failed in 90 days: let an execution fail on purpose and probe again",
    ),
    "administrative access": Probe(({"type": "audit.event.trail-read"},), LATE),
}  # fmt: skip
CATEGORIES = click.Choice(list(PROBES))


@click.command()
@click.option(
    "--category", "wanted", multiple=True, type=CATEGORIES, help="Only this one; can be repeated."
)
@click.option("--within", "within_s", default=90.0, show_default=True, metavar="SECONDS",
              help="How long to wait for entries.")  # fmt: skip
@json_option
@refusals_end_the_command
def probe(wanted: tuple[str, ...], within_s: float, as_json: bool) -> None:
    """Show an entry of each promised category in a live trail; takes the permission audit:read.

    Uses the API, reads the trail and, for the operator, tries a sign-in as nobody: that makes three
    of them. Of executions, calls and errors the newest entry is shown. Exit code 1: one is missing.
    """
    api = Api.of_caller()
    names = [name for name in PROBES if name in (wanted or PROBES)]
    found = dict(probed(api, names, within_s))
    shown = [found[name] for name in names if name in found]
    if as_json:
        say_json(shown)
    else:
        table([name.upper().replace("_", " ") for name in COLUMNS],
              [[one[name] for name in COLUMNS] for one in shown])  # fmt: skip
    missing = [name for name in names if name not in found]
    for name in missing:
        click.echo(f"troth: no entry of {name} in the trail: {PROBES[name].advice}", err=True)
    raise SystemExit(1 if missing else 0)


def probed(api: Api, names: list[str], within_s: float) -> Iterator[tuple[str, Entry]]:
    """Each category whose entry came in time, and the entry."""
    deadline, agent = time.monotonic() + within_s, f"troth-audit-probe/{secrets.token_hex(6)}"
    api.http.headers["user-agent"] = agent
    me = api.get("/v1/me")
    organization = (me["organization"] or {}).get("id")
    left = {name: PROBES[name] for name in names}
    if "authentication" in left:
        if me["instance_operator"]:
            sign_in_as_nobody(api)
        else:
            del left["authentication"]
    while left:
        for name, one in list(left.items()):
            if (entry := newest(api.get, one, agent)) is not None:
                del left[name]
                of = "instance" if one.path == OF_THE_INSTANCE else organization
                said = {"category": name, "organization": of, "target": entry["resource"]}
                yield (
                    name,
                    {"id": entry["id"], "occurred_at": entry["occurred_at"]}
                    | {column: said.get(column, entry.get(column)) for column in COLUMNS},
                )
        if time.monotonic() > deadline:
            return
        if left:
            time.sleep(AGAIN_S)


def newest(get: Callable[..., Any], probe: Probe, agent: str) -> Entry | None:
    """The newest entry that fits: of what this run caused, the one with its user agent; else rather
    one that somebody caused from somewhere than one of a schedule or of the system itself."""
    for filters in probe.filters:
        found = get(probe.path, limit=LOOKED_AT, **filters)["data"]
        if probe.mine:
            found = [entry for entry in found if entry["user_agent"] == agent]
        if found:
            return next((entry for entry in found if entry["address"] is not None), found[0])
    return None


def sign_in_as_nobody(api: Api) -> None:
    """Refused, as it should be: nobody has this address."""
    word = secrets.token_hex(12)
    body = {"email": f"probe-{word}@example.com", "password": word, "as": "token"}
    try:
        api.post("/v1/sessions", body)
    except Refused as refused:
        if refused.status != 401:
            raise
