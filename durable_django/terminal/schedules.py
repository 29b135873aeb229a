"""``durable schedules``: what comes when; shows one, switches, triggers, fills in, moves it.

When one comes is read in ``schedule_options``, how it looks stands in ``schedule_screen``. It
decides nothing: the API does.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.utils import timezone

from .. import schedules as api
from ..exceptions import InvalidState
from ..models import Schedule
from .command import DONE, REFUSED, WRONG_USAGE, Command, Refused, add_reason
from .given import read_json, read_moment
from .known import check_filters
from .schedule_options import MAKING, add_making, read_when
from .schedule_screen import document, draw, draw_list, draw_times
from .screen import Terminal

TIMES_SHOWN: Final = 20
# Options that only some of the words take, by the names they are parsed to.
_OWN: Final = {
    "list": {"workflow"},
    "trigger": {"input"},
    "backfill": {"start", "end", "dry_run"},
    "move": {"end"},
    "create": {*MAKING, "name", "input", "dry_run"},
    "change": {*MAKING, "input", "dry_run"},
}
_FLAGS: Final = {"start": "--from", "end": "--to"}


class Schedules(Command):
    """Without a word it lists them; with one it does that to a schedule."""

    name = "schedules"
    help = "list the schedules; show, switch, trigger, back-fill, move, make or delete one"
    epilog = """\
manage.py durable schedules
manage.py durable schedules show "report: weekly"
manage.py durable schedules disable "report: weekly" --reason holidays
manage.py durable schedules trigger "report: weekly" --input '{"week": 7}'
manage.py durable schedules backfill "report: weekly" --from 2030-01-01 --to 2030-02-01 --dry-run
manage.py durable schedules move "report: weekly" --to 2030-01-31T09:00
manage.py durable schedules create report --name monthly --cron "0 6 1 * *" --timezone Europe/Paris
manage.py durable schedules create report --name often --every 10m --input '{"short": true}'
manage.py durable schedules change "report: often" --every 15m --dry-run
manage.py durable schedules delete "report: often"
"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "action", nargs="?", choices=("list", *_ACTIONS), default="list", help="default: list"
        )
        parser.add_argument(
            "schedule",
            nargs="*",
            metavar="SCHEDULE",
            help='"workflow: name", its id, or a workflow with just one; create: the workflow',
        )
        parser.add_argument("--workflow", metavar="NAME", help="list: only those of this workflow")
        parser.add_argument("--input", metavar="JSON|@FILE|-", help="what its runs are given")
        parser.add_argument(
            "--from", dest="start", metavar="TIME", help="backfill: from this time on"
        )
        parser.add_argument(
            "--to",
            dest="end",
            metavar="TIME",
            help="backfill: before it; move: to this time, now if it has passed",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="only show the times that it means"
        )
        add_making(parser)
        add_reason(parser)

    def run(self, terminal: Terminal, options: Namespace) -> int:
        """Lists, or does what is asked and says how the schedule stands then."""
        _check_options(options)
        if options.action == "list":
            if options.schedule:
                raise Refused("to look at one, say: show", WRONG_USAGE)
            if not api.list_schedules(options.workflow).exists():
                check_filters(workflow=options.workflow)
            draw_list(terminal, options.workflow)
            return DONE
        if not options.schedule:
            raise Refused(f"{options.action} which schedule? Give its name", WRONG_USAGE)
        try:
            _ACTIONS[options.action](terminal, options)
        except ValidationError as error:
            raise Refused("; ".join(error.messages), REFUSED) from None
        except (TypeError, ValueError) as error:
            raise Refused(str(error), WRONG_USAGE) from None
        return DONE


def _check_options(options: Namespace) -> None:
    """WRONG_USAGE for an option that the word does not take."""
    every: set[str] = set().union(*_OWN.values())
    for name in sorted(every - _OWN.get(options.action, set())):
        if getattr(options, name) not in (None, False):
            flag = _FLAGS.get(name, f"--{name.replace('_', '-')}")
            raise Refused(f"{options.action} takes no {flag}", WRONG_USAGE)


def _found(options: Namespace) -> Schedule:
    """The schedule that is meant: one word, or a workflow and a name."""
    words = options.schedule
    if len(words) > 2:
        raise Refused(f"which one? Write it in quotes: {' '.join(words)!r}", WRONG_USAGE)
    text = ": ".join(word.rstrip(":") if len(words) > 1 else word for word in words)
    return api.get_schedule(int(text) if text.isascii() and text.isdecimal() else text)


def _show(terminal: Terminal, options: Namespace) -> None:
    draw(terminal, _found(options))


def _told(terminal: Terminal, schedule: Schedule, text: str) -> None:
    terminal.say(text)
    terminal.emit(document(schedule, terminal))


def _given(terminal: Terminal, options: Namespace) -> dict[str, Any]:
    return {"reason": options.reason, "by": terminal.by}


def _next(schedule: Schedule) -> str:
    if schedule.next_at is None:
        return "there is no tick left"
    local = timezone.localtime(schedule.next_at)
    return f"its next tick is at {local:%Y-%m-%d %H:%M:%S} {local.tzname() or ''}".rstrip()


def _enable(terminal: Terminal, options: Namespace) -> None:
    schedule = api.enable_schedule(_found(options), **_given(terminal, options))
    _told(terminal, schedule, f"{schedule} is on; {_next(schedule)}.")


def _disable(terminal: Terminal, options: Namespace) -> None:
    schedule = api.disable_schedule(_found(options), **_given(terminal, options))
    _told(terminal, schedule, f"{schedule} is off. Runs that it has started go on.")


def _trigger(terminal: Terminal, options: Namespace) -> None:
    input = {} if options.input is None else {"input": read_json(options.input, "--input")}
    run = api.trigger_schedule(_found(options), **input, **_given(terminal, options))
    terminal.say(f"Started {run.workflow_name} {run.pk}: {run.status}")
    terminal.emit({"execution": run.pk, "status": run.status})


def _backfill(terminal: Terminal, options: Namespace) -> None:
    schedule = _found(options)
    if options.start is None or options.end is None:
        raise Refused("backfill takes --from and --to", WRONG_USAGE)
    start, end = read_moment(options.start, "--from"), read_moment(options.end, "--to")
    if options.dry_run:
        times = api.preview_backfill(schedule, start, end)
        terminal.emit({"times": times})
        terminal.say(f"{len(times):,} would be started.")
        draw_times(terminal, "TICK", times[:TIMES_SHOWN], schedule)
        if len(times) > TIMES_SHOWN:
            terminal.say(f"… and {len(times) - TIMES_SHOWN:,} more.")
        return
    ids = api.backfill_schedule(schedule, start, end, **_given(terminal, options))
    terminal.emit({"executions": ids})
    terminal.say(f"{len(ids):,} started." if ids else "Nothing to start: each has been there.")


def _move(terminal: Terminal, options: Namespace) -> None:
    to = None if options.end is None else read_moment(options.end, "--to")
    schedule = api.move_schedule(_found(options), to, **_given(terminal, options))
    _told(terminal, schedule, f"{schedule}: {_next(schedule)}.")


def _delete(terminal: Terminal, options: Namespace) -> None:
    schedule = _found(options)
    before = document(schedule, terminal)
    api.delete_schedule(schedule, **_given(terminal, options))
    terminal.emit(before)
    terminal.say(f"{schedule} is deleted. Runs that it has started stay.")


def _create(terminal: Terminal, options: Namespace) -> None:
    if len(options.schedule) > 1:
        raise Refused("create takes one workflow; --name names the schedule", WRONG_USAGE)
    when = read_when(options, None)
    if options.dry_run:
        _preview(terminal, when)
        return
    schedule = api.create_schedule(options.schedule[0], when, **_given(terminal, options))
    _told(terminal, schedule, f"{schedule} is there; {_next(schedule)}.")


def _change(terminal: Terminal, options: Namespace) -> None:
    schedule = _found(options)
    if schedule.source == "code":
        raise InvalidState(f"{schedule.key} is declared in code; change it there")
    when = read_when(options, schedule)
    if options.dry_run:
        _preview(terminal, when)
        return
    schedule = api.change_schedule(schedule, when, **_given(terminal, options))
    _told(terminal, schedule, f"{schedule} is changed; {_next(schedule)}.")


def _preview(terminal: Terminal, when: Any) -> None:
    """When it would come; nothing is written."""
    times = api.preview_ticks(when)
    words = when.calendar().explain()
    terminal.emit({"words": words, "next": times})
    terminal.say(words if times else f"{words}: it never comes.")
    draw_times(terminal, "NEXT", times, when)


_ACTIONS: Final[dict[str, Callable[[Terminal, Namespace], None]]] = {
    "show": _show,
    "enable": _enable,
    "disable": _disable,
    "trigger": _trigger,
    "backfill": _backfill,
    "move": _move,
    "create": _create,
    "change": _change,
    "delete": _delete,
}
