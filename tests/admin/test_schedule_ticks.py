"""What the page of a schedule tells of each tick."""

from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from django.utils.html import escape

from tests.admin.rows import make_schedule, make_tick
from tests.admin.test_schedules import EVIL, VIEWS, page, text


@pytest.fixture
def viewer(staff):
    return staff(*VIEWS)


def test_until_when_ticks_were_missed_is_told_on_the_readers_clock(viewer):
    schedule = make_schedule()
    make_tick(schedule, "missed", detail="until 2030-01-01T02:30:00+00:00")
    with timezone.override(ZoneInfo("America/New_York")):
        found = viewer.get(page(schedule))
    assert "missed until Mon 2029-12-31 21:30:00 EST" in text(found)
    assert "+00:00" not in text(found)


def test_what_is_told_of_a_tick_that_is_no_time_is_text(viewer):
    schedule = make_schedule()
    make_tick(schedule, "missed", detail=f"until {EVIL}")
    make_tick(schedule, "missed", detail="until {0.__class__} %(time)s")
    make_tick(schedule, "missed", detail="until 9999-12-31T23:59:59+00:00")
    found = viewer.get(page(schedule)).content.decode()
    assert EVIL not in found
    assert f"until {escape(EVIL)}" in found
    assert "until {0.__class__} %(time)s" in found
    assert "until 9999-12-31T23:59:59+00:00" in found
