"""A simulated year of a fleet: twenty schedules, three workers that fire at once, outages, changes
of the clocks. What became of each tick is exactly what an independent calculation says.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Barrier
from uuid import UUID

import pytest
from django.db import connection, connections
from django.db.models import Count, Q

import durable_django as durable
from durable_django import Cron, Every, Workflow, days, hours, minutes, sleep_for
from durable_django.definition import registry
from durable_django.models import Execution, Schedule, ScheduleTick
from durable_django.store import clock, firing, leases
from durable_django.worker.inline import InlineDriver
from tests.scenarios.reckoned_fleet import Plan, Reckoner, Told, reckon_ticks

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = 3
WAIT_SECONDS = 60


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def plans() -> list[Plan]:
    """Every overlap and every way to catch up, at the hours at which clocks are moved."""
    york, berlin, casablanca = "America/New_York", "Europe/Berlin", "Africa/Casablanca"
    day = 24 * 60
    found = [
        Plan(Cron("0 9 * * *", timezone=york)),
        Plan(Cron("30 2 * * 5-7", timezone=berlin, catch_up="all"), 30),
        Plan(Cron("30 1 * * SUN", timezone=york, overlap="allow"), 9 * day),
        Plan(Cron("0 2,3 * * 5-7", timezone=berlin, overlap="allow", catch_up="all")),
        Plan(Cron("15 2 * * 5-7", timezone="Australia/Lord_Howe", catch_up="none")),
        Plan(Cron("0 0 * * *", timezone=casablanca, catch_up="none"), 25 * 60),
        Plan(Cron("0 0 L * *", timezone="Asia/Kathmandu", catch_up="all")),
        Plan(Cron("0 18 * * MON-FRI", timezone="America/St_Johns", overlap="queue_one"), 30 * 60),
        Plan(Cron("0 */12 * * 5-7", timezone=berlin, catch_up="all", catch_up_window=days(2)), 60),
        Plan(Every(hours(16), overlap="skip"), 20 * 60),
        Plan(Every(days(1), offset=hours(5), overlap="cancel_previous"), 40 * 60),
        Plan(Cron("0 6 1,15 JAN-JUN *", timezone="America/Sao_Paulo", catch_up="all")),
        Plan(Cron("*/30 1-3 * * SUN", timezone="Europe/Dublin", overlap="allow")),
        Plan(Cron("0-59/20 2 * * SUN", timezone=berlin, overlap="queue_one", catch_up="all"), 15),
        Plan(Cron("0 12 * * MON#2", timezone="Pacific/Apia")),
        Plan(Every(days(7), catch_up="none", offset=days(2.5)), 8 * day),
        Plan(
            Cron("45 23 * * 5-7", timezone=casablanca, overlap="queue_one", catch_up="all"), 2_970
        ),
        Plan(Cron("0 30 4 * * *", timezone=york, overlap="cancel_previous", catch_up="all"), day),
        Plan(Every(hours(12), offset=hours(5), catch_up="all", catch_up_window=hours(26))),
        Plan(Cron("0 2 * * 5-7", timezone="Europe/Dublin", catch_up_window=hours(3))),
    ]
    for number, plan in enumerate(found):
        plan.when = replace(plan.when, name=f"{number:02}", input={"minutes": plan.minutes})
    return found


def outages(start: datetime, end: datetime, random: Random) -> list[tuple[datetime, datetime]]:
    """When nobody looks: the night in which Europe's clocks are moved, longer ones, short ones."""
    length = end - start
    found = [
        (at("2026-03-28 20:00"), at("2026-03-29 06:10")),
        (at("2026-04-04 13:00"), at("2026-04-04 15:20")),
        (at("2026-10-24 23:55"), at("2026-10-25 02:05")),
        (at("2026-11-01 05:10"), at("2026-11-01 06:20")),
        (start + 0.55 * length, start + 0.55 * length + min(days(3), length / 12)),
    ]
    for _ in range(length // days(6)):
        begin = start + random.random() * length
        found.append((begin, begin + minutes(random.choice([2, 9, 45, 200, 1_600]))))
    return found


def looks(plans: list[Plan], start: datetime, end: datetime) -> list[datetime]:
    """When the fleet looks: soon after each tick, and now and then; never during an outage."""
    random = Random(6)
    ticks = {tick for plan in plans for tick in plan.ticks}
    found = {tick + timedelta(seconds=random.randint(0, 50)) for tick in ticks}
    found |= {start + random.random() * (end - start) for _ in range((end - start) // hours(30))}
    away = outages(start, end, random)
    found = {moment for moment in found if not any(a <= moment < b for a, b in away)}
    return [*sorted(moment for moment in found if start < moment < end), end]


class Frozen:
    """The clock of everybody, which stands still."""

    def __init__(self, patch: pytest.MonkeyPatch, moment: datetime) -> None:
        self.moment = moment
        for name in ("now", "known", "at"):
            patch.setattr(clock, name, lambda *_: self.moment)


class Fleet:
    """Three workers, each a thread and a connection of its own, and one that drives the runs."""

    def __init__(self) -> None:
        self._barrier = Barrier(WORKERS, timeout=WAIT_SECONDS)
        self._pool = ThreadPoolExecutor(WORKERS)
        self._ids = [registered(number) for number in range(WORKERS)]

    def look(self) -> None:
        """All three fire what is due at the same moment; then what is ready is driven."""
        list(self._pool.map(self._fire, self._ids))
        due = Q(status="sleeping", wake_at__lte=clock.now())
        if Execution.objects.filter(Q(status="pending") | due).exists():
            InlineDriver().drain()

    def stop(self) -> None:
        list(self._pool.map(self._leave, self._ids))
        self._pool.shutdown()

    def _fire(self, worker_id: UUID) -> None:
        self._barrier.wait()
        while firing.fire_due(worker_id):
            pass
        firing.fire_queued(worker_id)

    def _leave(self, worker_id: UUID) -> None:
        self._barrier.wait()
        connections.close_all()


def registered(number: int) -> UUID:
    return leases.register(
        hostname=f"host-{number}",
        pid=number,
        pid_space="",
        queues=[],
        threads=1,
        executor="threads",
        package_version="",
    )


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    made = Fleet()
    yield made
    made.stop()


@pytest.fixture
def only_ours() -> Iterator[None]:
    with registry.isolate():
        registry._classes.clear()
        yield


def workflow_of(plans: list[Plan]) -> type[Workflow]:
    class Report(Workflow):
        class Meta:
            name = "year.report"
            schedules = [plan.when for plan in plans]

        takes = sleep_for(lambda self: minutes(self.input["minutes"]))

    return Report


# The whole year takes five minutes on PostgreSQL, where it was seen once: CI walks its first third.
LAST = "2026-04-30 12:00" if connection.vendor == "postgresql" else "2027-01-01 12:00"


@pytest.mark.parametrize(
    ("start", "end"),
    [
        # In these Europe's clocks are moved.
        pytest.param("2026-03-26 12:00", "2026-03-30 12:00", id="days of spring"),
        pytest.param("2026-10-24 12:00", "2026-10-26 12:00", id="days of autumn"),
        pytest.param("2026-01-01 12:00", LAST, id="a year", marks=pytest.mark.slow),
    ],
)
def test_each_tick_becomes_what_an_independent_calculation_says(
    start, end, fleet, only_ours, monkeypatch
):
    begin, until = at(start), at(end)
    declared = plans()
    switched(declared[9], begin, until)
    switched(declared[16], begin, until)
    reckon_ticks(declared, begin, until)
    frozen = Frozen(monkeypatch, begin)
    workflow_of(declared)
    durable.sync_schedules()
    reckoners = [Reckoner(plan, begin) for plan in declared]

    for moment in looks(declared, begin, until):
        frozen.moment = moment
        operate(reckoners, moment)
        fleet.look()
        for reckoner in reckoners:
            if reckoner.is_on:
                reckoner.look(moment)
            else:
                reckoner.drive(moment)

    for reckoner in reckoners:
        assert told_of(reckoner.plan.name) == sorted(reckoner.told.values()), reckoner.plan
    assert Execution.objects.filter(status="cancelled").count() == sum(
        reckoner.cancelled for reckoner in reckoners
    )
    assert not Schedule.objects.exclude(error="").exists()
    check_that_runs_are_those_of_ticks()


def switched(plan: Plan, start: datetime, end: datetime) -> None:
    """Somebody switches it off for a while."""
    plan.off = (start + 0.3 * (end - start), start + 0.5 * (end - start))


def operate(reckoners: list[Reckoner], now: datetime) -> None:
    """What somebody does about schedules at this moment."""
    for reckoner in reckoners:
        key = f"year.report: {reckoner.plan.name}"
        if reckoner.plan.is_off(now) and reckoner.is_on:
            durable.disable_schedule(key)
            reckoner.switch_off()
        elif not reckoner.plan.is_off(now) and not reckoner.is_on:
            durable.enable_schedule(key)
            reckoner.switch_on(now)


def told_of(name: str) -> list[Told]:
    """What the rows say of the ticks of a schedule, in the order of their times."""
    rows = ScheduleTick.objects.filter(schedule__name=name).select_related("execution")
    return [
        Told(row.at, row.outcome, row.detail, row.execution and row.execution.created_at)
        for row in rows.order_by("at")
    ]


def check_that_runs_are_those_of_ticks() -> None:
    """Each started tick has one run, which knows its time; there is no other run."""
    started = ScheduleTick.objects.filter(outcome="started")
    pairs = started.values_list("execution_id", "at", "execution__scheduled_at", "schedule__name")
    runs = {pk for pk, *_ in pairs}
    assert len(runs) == len(pairs) == Execution.objects.count()
    assert all(tick == scheduled_at for _, tick, scheduled_at, _ in pairs)
    assert len({name for *_, name in pairs}) == Schedule.objects.count() - never_started()


def never_started() -> int:
    counted = Schedule.objects.annotate(count=Count("ticks"))
    return counted.filter(count=0).count()
