"""What is refused about times of schedules is said as people read times: on their own clock, and
never as Python writes a value."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

import durable_django as durable
from durable_django import Every, hours

from .store.scheduled import declared, fire

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_other_workflows")]

KATHMANDU = ZoneInfo("Asia/Kathmandu")
START = datetime(2026, 3, 2, tzinfo=UTC)
ACTS = (durable.preview_backfill, durable.backfill_schedule)


@pytest.fixture(autouse=True)
def _in_kathmandu():
    with timezone.override(KATHMANDU):
        yield


@pytest.fixture
def schedule():
    return declared(Every(hours(1), name="hourly"))


def refused(act, *args):
    with pytest.raises(ValueError, match=r"^(to|start|end)\b") as caught:
        act(*args)
    message = str(caught.value)
    assert "datetime" not in message
    return message


def test_the_tick_that_was_had_is_told_on_the_readers_clock(schedule):
    tick = fire(schedule)
    here = f"{tick.astimezone(KATHMANDU):%Y-%m-%d %H:45:00} +0545"
    said = refused(durable.move_schedule, schedule, tick)
    assert said == f"to: shop.report: hourly has had its tick of {here}"


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(
    ("end", "told"),
    [
        (START, "2026-03-02 05:45:00 +0545"),
        (START - hours(1), "2026-03-02 04:45:00 +0545"),
        (START - timedelta(seconds=0.25), "2026-03-02 05:44:59.750000 +0545"),
        (datetime(2026, 3, 1, 19, tzinfo=KATHMANDU), "2026-03-01 19:00:00 +0545"),
        (datetime.min.replace(tzinfo=UTC), "0001-01-01 05:41:16 LMT"),
    ],
)
def test_an_end_before_the_start_is_told_on_the_readers_clock(schedule, act, end, told):
    start = "2026-03-02 05:45:00 +0545"
    assert (
        refused(act, schedule, START, end)
        == f"end must be after start: {told} is not after {start}"
    )


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(
    ("end", "told"),
    [
        (datetime(2126, 3, 2, tzinfo=UTC), "2126-03-02 05:45:00 +0545"),
        # Nobody in Nepal can say it.
        (datetime.max.replace(tzinfo=UTC), "9999-12-31 23:59:59.999999 UTC"),
    ],
)
def test_an_end_in_the_future_is_told_on_the_readers_clock(schedule, act, end, told):
    said = refused(act, schedule, START, end)
    assert said == f"end is in the future: {told}; those times come by themselves"


def test_a_time_beyond_the_calendar_is_told_as_it_was_given(schedule):
    early = datetime(1, 1, 1, 3, tzinfo=KATHMANDU)
    said = refused(durable.move_schedule, schedule, early)
    assert said == "to is beyond the calendar: 0001-01-01 03:00:00+05:41:16"
