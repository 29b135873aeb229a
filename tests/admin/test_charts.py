"""The geometry of charts."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from durable_django.admin.charts import ABOVE, PLOT_HEIGHT, chart, nice
from durable_django.figures import PERIODS, Bar, Throughput

NOW = datetime(2030, 5, 17, 10, 29, 45, tzinfo=UTC)


def made(period="hour", **numbers):
    """A period whose last bar has these numbers."""
    wanted = PERIODS[period]
    step, first = timedelta(seconds=wanted.bar_seconds), wanted.begins_at(NOW)
    bars = [Bar(first + step * n, first + step * (n + 1)) for n in range(wanted.bars)]
    bars[-1] = Bar(bars[-1].begins_at, bars[-1].ends_at, **numbers)
    return chart(Throughput(wanted, tuple(bars)))


@pytest.mark.parametrize("number", [0, 1, 2, 3, 9, 10, 11, 99, 1_001, 8_312_405])
def test_the_axis_ends_at_a_round_number_with_a_whole_half(number):
    top = nice(number)
    assert number <= top <= max(2, number * 5)
    assert top % 2 == 0
    assert str(top).rstrip("0") in ("1", "2", "4")


def test_the_parts_of_a_bar_stand_on_one_another():
    [last] = [column for column in made(completed=4, failed=3, cancelled=1).columns if column.parts]
    assert [part.kind for part in last.parts] == ["completed", "failed", "cancelled"]
    below = float(ABOVE + PLOT_HEIGHT)
    for part in last.parts:
        assert float(part.y) + float(part.height) == pytest.approx(below, abs=0.2)
        below = float(part.y)
    assert below >= 0
    assert "4 completed, 3 failed, 1 cancelled" in last.said


def test_one_failure_among_a_million_is_seen():
    [last] = [column for column in made(completed=1_000_000, failed=1).columns if column.parts]
    assert float(last.parts[-1].height) >= 3
    assert float(last.parts[-1].y) >= 0


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/St_Johns"])
def test_every_period_has_a_few_labels_in_every_time_zone(period, zone):
    with timezone.override(zone):
        labels = made(period).times
    assert 1 <= len(labels) <= 7
    assert len({label.text for label in labels}) == len(labels)


def test_the_table_says_what_the_chart_says_and_leaves_out_the_empty():
    assert made().rows == ()
    [row] = made("week", completed=2, failed=1).rows
    assert (row.completed, row.failed, row.cancelled) == (2, 1, 0)
    assert row.time == "Fri 17 May, 08:00\N{EN DASH}12:00"
