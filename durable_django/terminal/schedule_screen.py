"""How schedules look in a terminal, and in JSON: the list, one with its ticks, times to come.

It reads, and says what the API and ``showing`` say.
"""

from __future__ import annotations

from typing import Any, Final

from django.utils import timezone
from rich.text import Text

from .. import schedules as api
from ..conf import settings
from ..definition.zones import zone_named
from ..engine import values
from ..figures.schedules import last_ticks, state_of
from ..models import Execution, Schedule, ScheduleTick
from ..showing import schedules as said
from ..showing.durations import written
from ..showing.shapes import value_shape
from ..showing.visible import visible
from ..store import clock
from ..store.ticks import missed_until
from .screen import Column, Terminal

NOTHING: Final = "\N{EN DASH}"
TICKS_SHOWN: Final = 10


def document(schedule: Schedule, terminal: Terminal) -> dict[str, Any]:
    """A schedule as ``--json`` gives it."""
    mask = said.mask_of(schedule, reveal=terminal.reveal)
    return said.shape(schedule, state_of(schedule, clock.now()), mask)


def draw_list(terminal: Terminal, workflow: str | None) -> None:
    """The schedules of a workflow, or all."""
    rows = list(api.list_schedules(workflow))
    if terminal.json:
        terminal.emit({"schedules": [document(row, terminal) for row in rows]})
        return
    if not rows:
        terminal.say("There are no schedules.")
        return
    now, last = clock.now(), last_ticks(rows)
    columns = [
        Column("SCHEDULE", folds=True),
        Column("STATE"),
        Column("NEXT"),
        Column("LAST", rank=1),
        Column("WHEN", folds=True, rank=2),
    ]
    terminal.table(
        columns,
        [
            (
                str(row),
                terminal.status(state_of(row, now)),
                row.next_at or NOTHING,
                _last(terminal, last.get(row.pk)),
                said.words(row),
            )
            for row in rows
        ],
    )


def _last(terminal: Terminal, tick: ScheduleTick | None) -> Text | str:
    if tick is None:
        return NOTHING
    return Text.assemble(terminal.status(tick.outcome), " ", terminal.moment(tick.at))


def draw(terminal: Terminal, schedule: Schedule) -> None:
    """One schedule: what there is to say of it, its next ten ticks and its last ones."""
    now = clock.now()
    mask = said.mask_of(schedule, reveal=terminal.reveal)
    times = said.to_come(schedule, now)
    rows = ScheduleTick.objects.using(settings.DATABASE).filter(schedule=schedule.pk)
    ticks = list(rows[:TICKS_SHOWN])
    runs = Execution.objects.using(settings.DATABASE).order_by()
    ids = [tick.execution_id for tick in ticks if tick.execution_id]
    statuses = dict(runs.filter(pk__in=ids).values_list("pk", "status"))
    told = [_tick(tick, statuses, mask) for tick in ticks]
    if terminal.json:
        terminal.emit({**document(schedule, terminal), "next": times, "ticks": told})
        return
    for label, value in _facts(terminal, schedule, mask):
        terminal.say(Text.assemble((f"{label:<10}", "dim"), value))
    draw_times(terminal, "NEXT", times, schedule)
    if told:
        terminal.say()
        _ticks(terminal, told)


def _facts(terminal: Terminal, schedule: Schedule, mask: Any) -> list[tuple[str, Any]]:
    """What there is to say of it, a line each."""
    document = value_shape(schedule.input_text, mask)
    rules = [f"overlap {schedule.overlap}", f"catch up {schedule.catch_up}"]
    if schedule.catch_up != "none":
        rules[1] += f" within {written(schedule.catch_up_seconds)}"
    if schedule.jitter_seconds:
        rules.append(f"jitter {written(schedule.jitter_seconds)}")
    if schedule.disable_after:
        rules.append(f"off after {schedule.disable_after} failures")
    state = terminal.status(state_of(schedule, clock.now()))
    facts: list[tuple[str, Any]] = [
        ("Schedule", Text(visible(str(schedule)), style="bold")),
        ("State", state),
        ("When", said.words(schedule)),
        ("Declared", "in code" if schedule.source == "code" else "by people"),
        ("Input", "of the code, for each tick" if said.gives_input(schedule) else _json(document)),
        ("Queue", visible(schedule.queue)),
        ("Rules", ", ".join(rules)),
        ("Off", visible(mask.text(schedule.disabled_reason))),
        ("Error", visible(mask.text(schedule.error))),
    ]
    return [(label, value) for label, value in facts if value]


def _json(value: Any) -> str:
    return visible(values.encode(value, "input"))


def _tick(tick: ScheduleTick, statuses: dict[Any, str], mask: Any) -> dict[str, Any]:
    return {
        "at": tick.at,
        "kind": tick.kind,
        "outcome": tick.outcome,
        "execution": tick.execution_id,
        "status": statuses.get(tick.execution_id),
        "detail": mask.text(tick.detail) or None,
    }


def _ticks(terminal: Terminal, told: list[dict[str, Any]]) -> None:
    columns = [
        Column("TICK"),
        Column("OUTCOME"),
        Column("RUN", fixed=True),
        Column("STATUS", rank=1),
        Column("BECAUSE OF", rank=3),
        Column("DETAIL", folds=True, rank=2),
    ]
    rows = [
        (
            terminal.exact(tick["at"]),
            terminal.status(tick["outcome"]),
            str(tick["execution"] or NOTHING),
            terminal.status(tick["status"]) if tick["status"] else NOTHING,
            tick["kind"],
            _detail(terminal, tick["detail"]),
        )
        for tick in told
    ]
    terminal.table(columns, rows)


def _detail(terminal: Terminal, detail: str | None) -> Text | str:
    """What is told of a tick, with a time as the terminal's clock shows it."""
    until = missed_until(detail or "")
    if until is not None:
        return Text.assemble("until ", terminal.exact(until))
    return detail or NOTHING


def draw_times(terminal: Terminal, title: str, times: list[Any], schedule: Any) -> None:
    """Times to come: in the zone of the schedule, in the terminal's if that differs, from now."""
    if not times:
        return
    name = getattr(schedule, "timezone", None) or timezone.get_default_timezone_name()
    try:
        zone = zone_named(name)
    except ValueError:
        zone = timezone.get_default_timezone()
    here = timezone.get_current_timezone()
    differs = any(
        at.astimezone(zone).utcoffset() != at.astimezone(here).utcoffset() for at in times
    )
    columns = [Column(f"{title} ({name})", fixed=True), Column("HERE", rank=1), Column("FROM NOW")]
    terminal.say()
    terminal.table(
        columns,
        [
            (
                f"{at.astimezone(zone):%a %Y-%m-%d %H:%M:%S %Z}",
                terminal.exact(at) if differs else NOTHING,
                at,
            )
            for at in times
        ],
    )
