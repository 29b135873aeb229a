"""Figures of schedules: how each stands, which come next, which need somebody."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django import figures
from durable_django.figures import schedules
from tests.admin.rows import make_schedule, make_tick, now

pytestmark = pytest.mark.django_db

OFF = {"enabled": False, "due_at": None}


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "on"),
        (OFF, "off"),
        ({**OFF, "disabled_reason": "3 in a row"}, "gave_up"),
        ({"error": "no such zone"}, "broken"),
        ({"due_at": now() - timedelta(hours=1)}, "late"),
        ({"due_at": None, "next_at": None}, "ended"),
        ({**OFF, "retired_at": now(), "error": "x", "disabled_reason": "y"}, "retired"),
    ],
)
def test_a_schedule_stands_in_one_way(fields, state):
    assert figures.state_of(make_schedule(**fields), now()) == state


def test_those_due_come_the_soonest_first_and_as_many_as_are_asked_for():
    for hours in (5, 1, 3):
        make_schedule(name=f"in {hours}", due_at=now() + timedelta(hours=hours))
    make_schedule(name="off", **OFF)
    found = figures.due_next(schedules.all_schedules(), 2)
    assert [schedule.name for schedule in found] == ["in 1", "in 3"]


def test_those_that_need_somebody_are_counted_each_once():
    make_schedule(name="fine")
    make_schedule(name="off", **OFF)
    make_schedule(name="gave up", **OFF, disabled_reason="3 in a row")
    make_schedule(name="broken", error="x", due_at=now() - timedelta(hours=1))
    make_schedule(name="late", due_at=now() - timedelta(minutes=2))
    make_schedule(name="retired", **OFF, retired_at=now(), error="x", disabled_reason="y")
    wanted = figures.troubled_schedules(schedules.all_schedules(), now())
    assert {name: n.number for name, n in figures.count_capped(wanted).items()} == {
        "schedules_gave_up": 1,
        "schedules_broken": 1,
        "schedules_late": 1,
    }


def test_the_latest_tick_of_each_is_found_at_once():
    rows = [make_schedule(name=f"n{number}") for number in range(3)]
    for row in rows[:2]:
        make_tick(row, at=now() - timedelta(days=1))
        latest = make_tick(row, "skipped")
    with CaptureQueriesContext(connection) as asked:
        found = schedules.last_ticks(rows)
    assert len(asked) == 1
    assert set(found) == {rows[0].pk, rows[1].pk}
    assert found[rows[1].pk] == latest
