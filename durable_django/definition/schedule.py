"""Cron and Every: when a workflow is started again and again, as its Meta says it.

Frozen data. Types and ranges are judged when one is made; whether the expression and the zone can
be read depends on the machine, and is told by ``calendar()``, system checks and the API.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any, Literal, TypeAlias, get_args
from zoneinfo import ZoneInfo

from durable_django.definition.cron_text import CRON_LENGTH_MAX
from durable_django.definition.durations import Duration, days, to_seconds
from durable_django.definition.occurrences import Calendar, calendar_of, spoken
from durable_django.definition.readers import read_integer, read_queue, read_text
from durable_django.definition.spelling import did_you_mean
from durable_django.definition.zones import zone_named

Overlap: TypeAlias = Literal["skip", "allow", "queue_one", "cancel_previous"]
CatchUp: TypeAlias = Literal["none", "one", "all"]

SCHEDULE_NAME_LENGTH_MAX = 100
ZONE_LENGTH_MAX = 64
# A column of 31 bits.
FAILURES_MAX = 2_147_483_647
DEFAULT_NAME = "default"

_YEAR = days(365)


@dataclass(frozen=True, kw_only=True)
class _Schedule:
    """What Cron and Every share. Durations are kept as float seconds."""

    name: str | None = None
    # Not hashed, so that a schedule can stand in a set whatever its runs are given.
    input: Any = field(default=None, hash=False)
    queue: str | None = None
    overlap: Overlap = "skip"
    catch_up: CatchUp = "one"
    catch_up_window: Duration = _YEAR
    jitter: Duration = 0
    disable_after: int | None = None

    def __post_init__(self) -> None:
        what = type(self).__name__
        name = DEFAULT_NAME if self.name is None else self.name
        self._keep("name", read_text(name, f"{what} name", SCHEDULE_NAME_LENGTH_MAX))
        _read_input(self.input, f"{what} input")
        if self.queue is not None:
            self._keep("queue", read_queue(self.queue, f"{what} queue"))
        _read_choice(self.overlap, f"{what} overlap", get_args(Overlap))
        _read_choice(self.catch_up, f"{what} catch_up", get_args(CatchUp))
        for key in ("catch_up_window", "jitter"):
            self._keep(key, to_seconds(getattr(self, key), f"{what} {key}"))
        if self.disable_after is not None:
            read_integer(self.disable_after, f"{what} disable_after", 1, FAILURES_MAX)

    def _keep(self, key: str, value: object) -> None:
        object.__setattr__(self, key, value)

    def calendar(self) -> Calendar:
        """When it ticks. ValueError if this machine cannot read the expression or the zone."""
        raise NotImplementedError

    @property
    def zone(self) -> tzinfo:
        """The zone that its ticks are told in. ValueError for one that this machine has not."""
        return zone_named("")

    @property
    def asks_for_input(self) -> bool:
        """Whether `input` is a function of the tick, which only code can hold."""
        return callable(self.input)

    def input_at(self, tick: datetime) -> Any:
        """The input of the run of that tick; what the function raises, if there is one.

        Example::

            Cron("@daily", input=lambda tick: {"day": tick.date()}).input_at(tick)
        """
        if callable(self.input):
            return self.input(tick.astimezone(self.zone))
        return {} if self.input is None else self.input

    def columns(self) -> dict[str, Any]:
        """All but the name and the input, by the names that rows of schedules have."""
        return {
            "queue": self.queue or "",
            "cron": "",
            "timezone": "",
            "interval_seconds": None,
            "offset_seconds": 0.0,
            "overlap": self.overlap,
            "catch_up": self.catch_up,
            "catch_up_seconds": self.catch_up_window,
            "jitter_seconds": self.jitter,
            "disable_after": self.disable_after,
        }


@dataclass(frozen=True)
class Cron(_Schedule):
    """A schedule by a cron expression: five fields, six with seconds first, or ``"@daily"``.

    `timezone`: the name of a zone, or None for Django's ``TIME_ZONE``. `name` tells the schedules
    of a workflow apart. `input`: what each run is given, or a ``callable(tick)`` that says it, with
    the tick as a datetime in that zone. `queue`: None for that of Meta. `overlap`, when the run
    before has not ended: "skip", "allow", "queue_one" or "cancel_previous". `catch_up`, after
    downtime: "none", "one" (the latest) or "all" of the ticks missed within `catch_up_window`, a
    timedelta or seconds. `jitter`: each tick is fired up to so much later. `disable_after`: so many
    failed runs in a row switch it off. TypeError or ValueError names the argument that is wrong.

    Example::

        class Meta:
            schedules = [Cron("0 9 * * MON-FRI", timezone="America/New_York")]
    """

    expression: str
    timezone: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._keep("expression", _read_expression(self.expression))
        if isinstance(self.timezone, ZoneInfo):
            self._keep("timezone", self.timezone.key)
        if self.timezone is not None:
            read_text(self.timezone, "Cron timezone", ZONE_LENGTH_MAX)

    def calendar(self) -> Calendar:
        return calendar_of(self.expression, self.timezone or "")

    @property
    def zone(self) -> tzinfo:
        return zone_named(self.timezone or "")

    def columns(self) -> dict[str, Any]:
        return {**super().columns(), "cron": self.expression, "timezone": self.timezone or ""}


@dataclass(frozen=True)
class Every(_Schedule):
    """A schedule by an interval, a timedelta or seconds, of a second or more.

    Ticks are counted from 1970-01-01T00:00Z plus `offset`, so that they are the same on each host
    and after each deploy: ``Every(hours(1), offset=minutes(5))`` is five past each hour of UTC. The
    others are as for Cron. TypeError or ValueError names the argument that is wrong.

    Example::

        class Meta:
            schedules = [Every(minutes(10), overlap="allow")]
    """

    interval: Duration
    offset: Duration = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        interval = to_seconds(self.interval, "Every interval")
        offset = to_seconds(self.offset, "Every offset")
        if interval < 1:
            raise ValueError(f"Every interval is a second or more, not {_spoken(interval)}")
        if offset >= interval:
            raise ValueError(
                f"Every offset is less than the interval of {_spoken(interval)}, not "
                f"{_spoken(offset)}: it says where within the interval the ticks lie"
            )
        self._keep("interval", interval)
        self._keep("offset", offset)

    def calendar(self) -> Calendar:
        return calendar_of("", "", to_seconds(self.interval, ""), to_seconds(self.offset, ""))

    def columns(self) -> dict[str, Any]:
        return {
            **super().columns(),
            "interval_seconds": self.interval,
            "offset_seconds": self.offset,
        }


def read_schedules(value: object, what: str) -> tuple[Cron | Every, ...]:
    """What ``Meta.schedules`` says: a list of Cron and Every, each under a name of its own."""
    if not isinstance(value, (list, tuple)):
        example = f'{what} is a list, like [Cron("0 9 * * *")], not {value!r:.80}'
        raise TypeError(example)
    seen: set[str | None] = set()
    for entry in value:
        if not isinstance(entry, (Cron, Every)):
            raise TypeError(
                f'{what} holds Cron and Every, like Cron("0 9 * * *"), not {entry!r:.80}'
            )
        if entry.name in seen:
            raise ValueError(
                f'{what}: two schedules have the name "{entry.name}", by which their rows are '
                'known; give each its own, like Cron("0 9 * * *", name="morning")'
            )
        seen.add(entry.name)
    return tuple(value)


def _spoken(seconds: float) -> str:
    return spoken(timedelta(seconds=seconds))


def _read_expression(value: object) -> str:
    expression = read_text(value, "Cron expression", CRON_LENGTH_MAX)
    return " ".join(expression.split())


def _read_choice(value: object, what: str, choices: Sequence[str]) -> None:
    if value not in choices:
        near = did_you_mean(value, choices) if isinstance(value, str) else ""
        told = ", ".join(f'"{choice}"' for choice in choices)
        raise ValueError(f"{what} is one of {told}, not {value!r:.80}{near}")


def _read_input(value: Any, what: str) -> Callable[[datetime], Any] | None:
    if not callable(value):
        return None
    if inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(
        getattr(value, "__call__", None)  # noqa: B004
    ):
        raise TypeError(f"{what} is a value or a plain function of the tick, no coroutine")
    try:
        inspect.signature(value).bind(None)
    except TypeError:
        raise TypeError(f"{what} is called with one argument, the tick") from None
    except ValueError:  # a builtin that tells no signature
        pass
    return None
