"""Cron text: expressions with five or six fields and their aliases, read and put into words.

cronsim parses; here its errors get words that help. Knows no time zone and no clock.
"""

from __future__ import annotations

from datetime import datetime

from cronsim import CronSim, CronSimError
from cronsim.explain import explain as explain_fields

from durable_django.definition.spelling import did_you_mean

ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

CRON_LENGTH_MAX = 200

# What cronsim calls a field, and what may stand in it.
_FIELDS = {
    "second": "0 to 59",
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day-of-month": "1 to 31, L for the last or LW for the last weekday",
    "month": "1 to 12 or JAN to DEC",
    "day-of-week": "0 to 7 or SUN to SAT, MON#2 for the second Monday, 5L for the last Friday",
}


def fields_of(cron: str) -> list[str]:
    """The fields of an expression, an alias written out: five, or six with seconds first.

    ValueError for another number of them, and for an unknown alias.
    """
    text = cron.strip()
    if text.startswith("@"):
        if text.lower() not in ALIASES:
            near = did_you_mean(text.lower(), ALIASES)
            raise ValueError(f"{text!r:.80} is no alias{near} (there are {', '.join(ALIASES)})")
        text = ALIASES[text.lower()]
    fields = text.split()
    if len(fields) not in (5, 6):
        raise ValueError(
            f"{cron!r:.80} has {len(fields)} field{'' if len(fields) == 1 else 's'}; an expression "
            'has five (minute, hour, day of month, month, day of week), like "0 9 * * MON-FRI", or '
            "six with seconds first"
        )
    return fields


def parse(cron: str) -> CronSim:
    """The expression, ready to be walked in naive time. ValueError says which field is wrong."""
    fields = fields_of(cron)
    # cronsim counts characters of other scripts and case mappings as it likes; ours is plain ASCII.
    if not cron.isascii():
        raise ValueError(f"{cron!r:.80} is no cron expression: it has letters that none has")
    try:
        # A naive datetime: whatever the clocks do is decided elsewhere, for all kinds alike.
        return CronSim(" ".join(fields), datetime(2000, 1, 1))  # noqa: DTZ001
    except CronSimError as error:
        raise ValueError(_mistake(cron, fields, str(error))) from None


def says_wall_times(cron: str) -> bool:
    """Whether the expression names minutes and hours (``"30 2 * * *"``), as cron of Debian sees it;
    else it means every so many of them (``"*/10 * * * *"``).
    """
    minute, hour = fields_of(cron)[-5:-3]
    return not minute.startswith("*") and not hour.startswith("*")


def explain(cron: str) -> str:
    """The expression in English words: ``"At 09:00 every day"``; itself where there are none."""
    fields = fields_of(cron)
    try:
        return explain_fields(" ".join(fields))
    except (ValueError, NotImplementedError, IndexError, AssertionError):
        return " ".join(fields)


def _mistake(cron: str, fields: list[str], told: str) -> str:
    name = told.removeprefix("Bad ")
    if name not in _FIELDS:
        return f"{cron!r:.80} is no cron expression: {told}"
    text = fields[-6:][[*_FIELDS][-len(fields) :].index(name)]
    words = name.replace("-", " ")
    if name == "day-of-month" and _is_read(text):
        return f"{cron!r:.80}: no month in it has such a day of month: {text!r}"
    return f"{cron!r:.80}: the {words} is {text!r:.80}, and can be {_FIELDS[name]}"


def _is_read(day: str) -> bool:
    try:
        CronSim(f"0 0 {day} * *", datetime(2000, 1, 1))  # noqa: DTZ001
    except CronSimError:
        return False
    return True
