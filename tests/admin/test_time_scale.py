"""The scale of a time line: places in per cent, long silences cut, ticks that can be read."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from durable_django.admin.time_scale import CUT_WIDTH, CUTS_MAX, scale_of

START = datetime(2030, 1, 31, 10, tzinfo=UTC)


def after(seconds):
    return START + timedelta(seconds=seconds)


def scale(end, *busy):
    spans = [(after(first), after(last)) for first, last in busy]
    return scale_of(START, after(end), busy=spans, marks=[m for span in spans for m in span])


def test_what_is_even_is_drawn_even():
    even = scale(10, (0, 10))
    assert [even.place(after(n)) for n in (0, 2.5, 10)] == [0, 25, 100]
    assert even.cuts == []


def test_what_lies_outside_is_drawn_at_the_ends():
    even = scale(10, (0, 10))
    assert (even.place(after(-5)), even.place(after(50))) == (0, 100)


def test_a_sleep_of_days_between_two_seconds_is_cut_and_both_are_seen():
    cut = scale(260_002, (0, 1), (260_001, 260_002))
    assert [round(found.seconds) for found in cut.cuts] == [260_000]
    assert cut.place(after(1)) == pytest.approx((100 - CUT_WIDTH) / 2)
    assert cut.place(after(260_001)) == pytest.approx((100 + CUT_WIDTH) / 2)
    assert cut.place(after(260_002)) == 100


def test_what_runs_is_never_cut():
    assert scale(100_000, (0, 1), (2, 100_000)).cuts == []


def test_many_silences_of_the_same_length_are_the_rhythm_of_the_run():
    assert scale(600, *((n * 60, n * 60 + 1) for n in range(10))).cuts == []


def test_only_so_many_are_cut():
    spans = [(10.0**n, 10.0**n + 0.001) for n in range(14)]
    assert len(scale(10.0**13 / 1e5, *[s for s in spans if s[1] < 10.0**8]).cuts) <= CUTS_MAX


def test_a_moment_without_length_has_a_scale():
    assert scale(0).place(START) == 0


def test_ticks_stand_at_round_times_and_do_not_touch():
    ticks = scale(47, (0, 47)).ticks()
    assert ticks[0].label == "01-31 10:00:00"
    assert [tick.label for tick in ticks[1:]] == ["10:00:10", "10:00:20", "10:00:30", "10:00:40"]
    gaps = [b.at - a.at for a, b in itertools.pairwise(ticks)]
    assert min(gaps) > 10


def test_a_label_is_as_exact_as_its_step_asks_for():
    assert scale(0.5, (0, 0.5)).ticks()[1].label == "10:00:00.100"
    assert scale(7_200, (0, 7_200)).ticks()[1].label.count(":") == 1


def test_the_day_is_told_again_where_it_is_another_one():
    labels = [tick.label for tick in scale(400_000, (0, 400_000)).ticks()]
    assert all(label[2] == "-" for label in labels)
    assert len({label[:5] for label in labels}) == len(labels)


@pytest.mark.parametrize("zone", ["America/St_Johns", "Asia/Kathmandu"])
def test_round_times_are_round_where_the_reader_is(settings, zone):
    settings.TIME_ZONE = zone
    labels = [tick.label for tick in scale(36_000, (0, 36_000)).ticks()]
    assert all(label.endswith(":00") for label in labels)
