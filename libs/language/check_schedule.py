"""`schedule`: a trigger by a cron line in a time zone; its input must fit the schema."""

from functools import cache
from zoneinfo import available_timezones

from libs.language.check_context import Fields, Scope
from libs.language.check_schema import constant_fits
from libs.language.check_values import value_at
from libs.language.cron import CronError, parse_cron
from libs.language.document import Missed, ScheduleTrigger

SCHEDULE_KEYS = ("cron", "timezone", "missed", "with")
MISSED: tuple[Missed, ...] = ("skip", "run-once", "run-all")
# They mean something else on every machine, or nothing.
ZONES_REFUSED = frozenset(("localtime", "Factory", "posixrules"))


@cache
def zones() -> frozenset[str]:
    """The names of all time zones; reading them takes a while."""
    return frozenset(available_timezones()) - ZONES_REFUSED


def schedule_at(fields: Fields, trigger_id: str | None, scope: Scope) -> ScheduleTrigger | None:
    """`schedule: {cron, timezone, missed, with}`: UTC, `skip` and `{}` where nothing is said.

    `with` sees `trigger`, `workflow` and `vars`.
    """
    fields.only(SCHEDULE_KEYS)
    cron = cron_at(fields)
    timezone = timezone_at(fields)
    found = fields.one_of("missed", MISSED)
    missed: Missed = "skip"
    if found == "run-once" or found == "run-all":
        missed = found
    with_ = None
    if "with" in fields:
        names = ("trigger", "workflow", "vars")
        with_ = value_at(fields, "with", Scope({name: scope.names[name] for name in names}))
    if with_ is not None or "with" not in fields:
        path = fields.at("with") if "with" in fields else fields.path
        constant_fits(fields, path, scope.names["input"], with_, "the input of this schedule")
    if cron is None or timezone is None:
        return None
    return ScheduleTrigger(trigger_id, cron, timezone, missed, with_)


def cron_at(fields: Fields) -> str | None:
    """A cron line that fires some day."""
    if "cron" not in fields:
        fields.missing("cron", 'minute, hour, day, month, weekday, such as "0 9 * * MON-FRI"')
        return None
    text = fields.literal("cron")
    if text is None:
        return None
    try:
        parse_cron(text)
    except CronError as error:
        fields.report.problem(
            fields.at("cron"), "bad-cron", str(error), see="triggers", found=error.found
        )
        return None
    return text


def timezone_at(fields: Fields) -> str | None:
    """The name of a time zone."""
    if "timezone" not in fields:
        return "UTC"
    text = fields.literal("timezone")
    if text is None or text in zones():
        return text
    detail = "`timezone` is a name of the time zone database, such as Europe/Vilnius or UTC"
    fields.report.problem(
        fields.at("timezone"), "bad-timezone", detail, see="triggers", found=text, near=zones()
    )
    return None
