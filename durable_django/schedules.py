"""What people call about schedules: list, create, change, switch, trigger, back-fill, preview.

Each judges its arguments before it writes, and is told in the audit trail. All can be called inside
the caller's transaction on the same database, and then commit or roll back with it. Models are
imported when a function runs, as in ``api``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

from asgiref.sync import sync_to_async

from .conf import settings
from .definition import registry
from .definition.schedule import Cron, Every
from .definition.spelling import did_you_mean
from .engine import values
from .exceptions import ScheduleNotFound
from .store.options import UNSET, input_text, known_queue
from .store.saying import said

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from .definition.occurrences import Calendar
    from .definition.workflow import Workflow
    from .models import Execution, Schedule

    ScheduleLike: TypeAlias = Schedule | int | str | type[Workflow]

BACKFILL_MAX: Final = 1_000
PREVIEW_MAX: Final = 1_000


def list_schedules(workflow: type[Workflow] | str | None = None) -> QuerySet[Schedule]:
    """A QuerySet of schedules by workflow and name: of one workflow, a class or a name, or all.

    >>> durable.list_schedules().filter(enabled=True).order_by("due_at")  # doctest: +SKIP
    """
    from .models import Schedule

    rows = Schedule.objects.using(settings.DATABASE).order_by("workflow_name", "name")
    if workflow is None:
        return rows
    named = workflow if isinstance(workflow, str) else registry.resolve(workflow).definition.name
    return rows.filter(workflow_name=named)


def get_schedule(schedule: ScheduleLike) -> Schedule:
    """The schedule as it stands now. ``schedule`` here and everywhere is a Schedule, its id, its
    key ``"shop.report: nightly"``, or a workflow, class or name, that has just one.

    Raises ScheduleNotFound, TypeError.

    >>> durable.get_schedule("shop.report: nightly").next_at  # doctest: +SKIP
    """
    from .models import Schedule
    from .store import schedules

    if isinstance(schedule, Schedule):
        return schedules.read(schedule.pk)
    if isinstance(schedule, int) and not isinstance(schedule, bool):
        return schedules.read(schedule)
    if isinstance(schedule, type):
        return _only(registry.resolve(schedule).definition.name)
    if not isinstance(schedule, str):
        raise TypeError(
            f"schedule is a Schedule, its id, its key or a workflow, not {schedule!r:.80}"
        )
    return _keyed(schedule) or _only(schedule)


def create_schedule(
    workflow: type[Workflow] | str, when: Cron | Every, *, reason: str = "", by: Any = None
) -> Schedule:
    """Makes a schedule of people: a row that no code declares; returns the Schedule.

    ``workflow`` is a class or a registered name; ``when`` says when, under which name, and with
    which input, which cannot be a function here. ``by`` is a user or a text, kept with ``reason``
    in the audit trail.

    Raises WorkflowNotFound, QueueNotFound, NotSerializable, whatever ``clean_input`` raises,
    TypeError or ValueError naming an argument: what is wrong with the expression or the zone, or
    that the workflow has a schedule of that name.

    >>> durable.create_schedule("report", Cron("0 6 * * MON", name="weekly"))  # doctest: +SKIP
    """
    from .store import audit, schedules

    cls = registry.resolve(workflow)
    text = _judged(cls, when)
    checked = audit.checked(reason, by)
    return schedules.create(cls.definition.name, when, text, checked, by)


def change_schedule(
    schedule: ScheduleLike, when: Cron | Every, *, reason: str = "", by: Any = None
) -> Schedule:
    """Gives a schedule of people another time, input, queue and manners; returns it. Its name
    stays, and so does whether it is on. Its next tick is the next by the new calendar.

    Raises ScheduleNotFound, InvalidState for one that code declares, and what
    :func:`create_schedule` raises.
    """
    from .store import audit, schedules

    found = get_schedule(schedule)
    if isinstance(when, Cron | Every) and when.name not in ("default", found.name):
        raise ValueError(f"name: a schedule keeps its name, {found.name!r}")
    text = _judged(registry.resolve(found.workflow_name), when)
    return schedules.change(found.pk, when, text, audit.checked(reason, by), by)


def delete_schedule(schedule: ScheduleLike, *, reason: str = "", by: Any = None) -> None:
    """Deletes a schedule of people, or one that code declares no longer, with its ticks. Runs that
    it started stay, and go on. Of a workflow that neither this process nor a living worker has, one
    that is off can be deleted, too; with its code it would come back.

    Raises ScheduleNotFound, InvalidState for one that code declares.
    """
    from .store import audit, schedules

    schedules.delete(get_schedule(schedule).pk, audit.checked(reason, by), by)


def enable_schedule(schedule: ScheduleLike, *, reason: str = "", by: Any = None) -> Schedule:
    """It ticks again, from the next time of its calendar on; what passed meanwhile is not caught
    up with, and failures in a row are counted anew. Returns the Schedule.

    Raises ScheduleNotFound, InvalidState if it is on or no longer declared, ValueError if its
    calendar cannot be read.
    """
    from .store import audit, schedules

    return schedules.enable(get_schedule(schedule).pk, audit.checked(reason, by), by)


def disable_schedule(schedule: ScheduleLike, *, reason: str = "", by: Any = None) -> Schedule:
    """It ticks no more, whatever code says, until it is enabled; runs that it started go on. A tick
    that waited for the run before it is left out. Returns the Schedule.

    Raises ScheduleNotFound, InvalidState if it is off.

    >>> durable.disable_schedule("report: weekly", reason="holidays", by=user)  # doctest: +SKIP
    """
    from .store import audit, schedules

    return schedules.disable(get_schedule(schedule).pk, audit.checked(reason, by), by)


def move_schedule(
    schedule: ScheduleLike, to: datetime | None, *, reason: str = "", by: Any = None
) -> Schedule:
    """Its next tick is at ``to``, an aware datetime, instead of its next time, and those before
    that are left out; None: the next time by its calendar from now on. A time that has passed means
    now, whatever ``catch_up`` says. After that tick it goes on by its calendar. Returns the
    Schedule.

    Raises ScheduleNotFound, InvalidState if it is off or no longer declared, ValueError for a time
    that has had its tick.
    """
    from .store import audit, schedules

    moment = None if to is None else _moment(to, "to")
    return schedules.move(get_schedule(schedule).pk, moment, audit.checked(reason, by), by)


def trigger_schedule(
    schedule: ScheduleLike, input: Any = UNSET, *, reason: str = "", by: Any = None
) -> Execution:
    """Starts a run now, with the schedule's input or another one; returns the Execution.

    It starts whatever else runs, also while the schedule is off, and then counts as a run of the
    schedule: for the overlap of the next tick, and for failures in a row. The calendar goes on as
    before.

    Raises ScheduleNotFound, InvalidState if it is no longer declared, and what ``start`` raises.

    >>> durable.trigger_schedule("report: weekly", {"week": 7}, by=user)  # doctest: +SKIP
    """
    from .store import audit, schedules

    checked = audit.checked(reason, by)
    return schedules.trigger(get_schedule(schedule).pk, input, checked, by)


def backfill_schedule(
    schedule: ScheduleLike, start: datetime, end: datetime, *, reason: str = "", by: Any = None
) -> list[UUID]:
    """Starts a run for each time of the schedule from ``start`` on and before ``end`` that has none
    so far; their ids, in the order of the times. Repeating it makes no duplicates.

    Both are aware datetimes, ``end`` not in the future. All start at once, whatever ``overlap``
    says, or none does; ``input`` is asked for each time. At most 1,000. A time that has a run of a
    schedule of this name that was deleted has one.

    Raises ScheduleNotFound, InvalidState if it is no longer declared, ValueError (for more than
    that it says how many there are), and what ``start`` raises.

    >>> durable.backfill_schedule("report: weekly", start, end, by=user)  # doctest: +SKIP
    """
    from .store import audit, schedules

    begin, until = _range(start, end)
    checked = audit.checked(reason, by)
    pk = get_schedule(schedule).pk
    return schedules.backfill(pk, begin, until, BACKFILL_MAX, checked, by)


def preview_backfill(schedule: ScheduleLike, start: datetime, end: datetime) -> list[datetime]:
    """The times that :func:`backfill_schedule` would start a run for, ascending, in UTC.

    Raises ScheduleNotFound, ValueError.
    """
    from .store import schedules

    begin, until = _range(start, end)
    return schedules.without_run(get_schedule(schedule), begin, until, BACKFILL_MAX)


def preview_ticks(
    when: Cron | Every | ScheduleLike, count: int = 10, after: datetime | None = None
) -> list[datetime]:
    """The next ``count`` times by the calendar, ascending, in UTC; fewer where it ends. ``when``
    is a Cron or Every, or a schedule; ``after`` an aware datetime, or None for now.

    Raises ScheduleNotFound, ValueError saying what is wrong with the expression or the zone.

    >>> durable.preview_ticks(Cron("0 9 29 2 *", timezone="UTC"), 3)  # doctest: +SKIP
    """
    from .definition.readers import read_integer
    from .store import clock

    read_integer(count, "count", 0, PREVIEW_MAX)
    calendar = _calendar(when)
    at: datetime | None = clock.now() if after is None else _moment(after, "after")
    found: list[datetime] = []
    while at is not None and len(found) < count:
        at = calendar.after(at)
        if at is not None:
            found.append(at)
    return found


def sync_schedules() -> None:
    """Makes the rows of schedules say what the code of this process declares, as migrate and the
    start of a worker do. What operators decided stays.

    >>> durable.sync_schedules()  # doctest: +SKIP
    """
    from .store import synchronising

    synchronising.synchronise()


alist_schedules = sync_to_async(list_schedules)
aget_schedule = sync_to_async(get_schedule)
acreate_schedule = sync_to_async(create_schedule)
achange_schedule = sync_to_async(change_schedule)
adelete_schedule = sync_to_async(delete_schedule)
aenable_schedule = sync_to_async(enable_schedule)
adisable_schedule = sync_to_async(disable_schedule)
amove_schedule = sync_to_async(move_schedule)
atrigger_schedule = sync_to_async(trigger_schedule)
abackfill_schedule = sync_to_async(backfill_schedule)
apreview_backfill = sync_to_async(preview_backfill)
apreview_ticks = sync_to_async(preview_ticks)
async_schedules = sync_to_async(sync_schedules)


def _keyed(key: str) -> Schedule | None:
    """The schedule of that key. Names of workflows may have a colon in them, too."""
    parts = key.split(": ")
    for at in range(1, len(parts)):
        workflow, name = ": ".join(parts[:at]), ": ".join(parts[at:])
        found = list_schedules(workflow).filter(name=name).first()
        if found is not None:
            return found
    return None


def _only(workflow_name: str) -> Schedule:
    found = list(list_schedules(workflow_name)[:10])
    if len(found) == 1:
        return found[0]
    if found:
        keys = ", ".join(repr(row.key) for row in found)
        raise ScheduleNotFound(f"{workflow_name} has several schedules; name one of {keys}")
    rows = list_schedules().values_list("workflow_name", "name")
    known = [f"{workflow}: {name}" for workflow, name in rows[:1_000]]
    near = did_you_mean(workflow_name, [*known, *{key.split(": ")[0] for key in known}])
    raise ScheduleNotFound(f"no schedule is called {workflow_name!r}{near}")


def _judged(cls: type[Workflow], when: Any) -> str:
    """The input of a schedule of people, as it is stored, after all has been judged."""
    if not isinstance(when, Cron | Every):
        raise TypeError(f'when is a Cron or Every, like Cron("0 9 * * *"), not {when!r:.80}')
    if when.asks_for_input:
        raise TypeError("input is a value; a function of the tick is for schedules in code")
    when.calendar()
    if when.queue is not None:
        known_queue(when.queue)
    given = {} if when.input is None else when.input
    input_text(cls, given)
    # As it was given: it is cleaned for each run.
    return values.encode(given, "input", limit=settings.MAX_PAYLOAD_BYTES)


def _moment(moment: Any, what: str) -> datetime:
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise ValueError(f"{what} must be an aware datetime, not {moment!r:.80}")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{what} is beyond the calendar: {moment.isoformat(' ')}") from None


def _range(start: Any, end: Any) -> tuple[datetime, datetime]:
    from .store import clock

    begin, until = _moment(start, "start"), _moment(end, "end")
    if until <= begin:
        raise ValueError(f"end must be after start: {said(until)} is not after {said(begin)}")
    if until > clock.now():
        raise ValueError(f"end is in the future: {said(until)}; those times come by themselves")
    return begin, until


def _calendar(when: Any) -> Calendar:
    from .store import ticking

    if isinstance(when, Cron | Every):
        return when.calendar()
    return ticking.calendar(get_schedule(when))
