"""The options that say when a schedule comes, and what holds if something is late.

They become a ``Cron`` or an ``Every``; of a schedule that is changed what is not said stays.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any, Final

from ..definition.durations import Duration
from ..definition.schedule import Cron, Every
from ..models import CatchUp, Overlap, Schedule
from .command import WRONG_USAGE, Refused, at_least
from .given import duration_of, read_json

MAKING: Final = (
    "cron",
    "every",
    "timezone",
    "offset",
    "queue",
    "overlap",
    "catch_up",
    "catch_up_window",
    "jitter",
    "disable_after",
)


def add_making(parser: ArgumentParser) -> None:
    """The options of ``create`` and ``change``."""
    group = parser.add_argument_group("create and change")
    group.add_argument("--cron", metavar="EXPRESSION", help='like "0 9 * * MON-FRI" or @daily')
    group.add_argument("--timezone", metavar="ZONE", help="that it is read in, like Europe/Paris")
    group.add_argument("--every", metavar="DURATION", help="instead of --cron, like 10m or 1h 30m")
    group.add_argument("--offset", metavar="DURATION", help="of --every: shifted by so much")
    group.add_argument("--name", metavar="NAME", help="create: which of the workflow's")
    group.add_argument("--queue", metavar="NAME", help="of its runs; '': the workflow's (default)")
    group.add_argument(
        "--overlap", choices=Overlap.values, help="while the run before has not ended"
    )
    group.add_argument(
        "--catch-up", choices=CatchUp.values, help="which of the ticks missed in a downtime start"
    )
    group.add_argument("--catch-up-window", metavar="DURATION", help="and how old they may be")
    group.add_argument("--jitter", metavar="DURATION", help="each starts up to so much later")
    group.add_argument(
        "--disable-after", type=at_least(0), metavar="N", help="off after N failures; 0: never"
    )


def read_when(options: Namespace, before: Schedule | None) -> Cron | Every:
    """What was said, over what ``before`` says; None: a new one. TypeError or ValueError names the
    argument that is wrong."""
    if options.cron is not None and options.every is not None:
        raise Refused("give --cron or --every, not both", WRONG_USAGE)
    had_interval = before is not None and before.interval_seconds is not None
    if options.every is not None or (had_interval and options.cron is None):
        if options.timezone is not None:
            raise Refused("an interval has no --timezone", WRONG_USAGE)
        return _every(options, before)
    if options.offset is not None:
        raise Refused("only --every takes an --offset", WRONG_USAGE)
    cron, zone = options.cron, options.timezone
    if before is not None:
        cron = before.cron if cron is None else cron
        zone = before.timezone if zone is None else zone
    if not cron:
        raise Refused('when? Give --cron "0 9 * * *" or --every 10m', WRONG_USAGE)
    return Cron(cron, timezone=zone or None, **_common(options, before))


def _every(options: Namespace, before: Schedule | None) -> Every:
    every: Duration | None = (
        None if options.every is None else duration_of(options.every, "--every")
    )
    offset: Duration | None = (
        None if options.offset is None else duration_of(options.offset, "--offset")
    )
    if before is not None and before.interval_seconds is not None:
        every = before.interval_seconds if every is None else every
        offset = before.offset_seconds if offset is None else offset
    return Every(every or 0, offset=offset or 0, **_common(options, before))


def _common(options: Namespace, before: Schedule | None) -> dict[str, Any]:
    """What both kinds take, by the names of their arguments."""
    found: dict[str, Any] = {}
    if before is not None:
        found = {
            "name": before.name,
            "input": before.input,
            "queue": before.queue or None,
            "overlap": before.overlap,
            "catch_up": before.catch_up,
            "catch_up_window": before.catch_up_seconds,
            "jitter": before.jitter_seconds,
            "disable_after": before.disable_after,
        }
    if options.input is not None:
        found["input"] = read_json(options.input, "--input")
    for name in ("name", "overlap", "catch_up"):
        if getattr(options, name) is not None:
            found[name] = getattr(options, name)
    if options.queue is not None:
        found["queue"] = options.queue or None
    for name in ("catch_up_window", "jitter"):
        if getattr(options, name) is not None:
            found[name] = duration_of(getattr(options, name), f"--{name.replace('_', '-')}")
    if options.disable_after is not None:
        found["disable_after"] = options.disable_after or None
    return found
