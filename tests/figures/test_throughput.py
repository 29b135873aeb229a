"""Throughput and durations, from the tallies."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django.figures import PERIODS, paces, throughput
from durable_django.store import tallies

NOW = datetime(2030, 5, 17, 10, 29, 45, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_pending():
    tallies.forget()


def ended(*, ago=timedelta(0), status="completed", name="tests.order", seconds=1.0, times=1):
    for _ in range(times):
        at = NOW - ago
        tallies.count(name, status, at - timedelta(seconds=seconds), at)
    tallies.flush()


def test_without_runs_there_are_empty_bars():
    found = throughput(PERIODS["hour"], now=NOW)
    assert (len(found.bars), found.total) == (60, 0)
    assert paces(PERIODS["hour"], now=NOW) == []


@pytest.mark.parametrize(
    ("period", "within", "beyond"),
    [
        ("hour", timedelta(minutes=59), timedelta(minutes=60)),
        ("day", timedelta(hours=23), timedelta(hours=24)),
        ("week", timedelta(days=6, hours=22), timedelta(days=7)),
    ],
)
def test_a_period_ends_now_and_has_its_length(period, within, beyond):
    ended()
    ended(ago=within)
    ended(ago=beyond)
    found = throughput(PERIODS[period], now=NOW)
    assert [bar.total for bar in found.bars if bar.total] == [1, 1]
    assert (found.bars[0].total, found.bars[-1].total) == (1, 1)
    last = found.bars[-1]
    assert last.begins_at <= NOW < last.ends_at
    assert last.ends_at - found.bars[0].begins_at == PERIODS[period].length


def test_what_ended_badly_stands_apart():
    for status in ("completed", "failed", "compensated", "compensation_failed", "cancelled"):
        ended(status=status)
    found = throughput(PERIODS["hour"], now=NOW)
    assert (found.completed, found.failed, found.cancelled) == (1, 3, 1)


def test_workflows_are_told_apart_the_busiest_first():
    ended(name="tests.rare", seconds=3600)
    ended(name="tests.busy", seconds=0.1, times=98)
    ended(name="tests.busy", seconds=60, times=2)
    ended(name="tests.busy", seconds=5, status="failed", times=25)
    busy, rare = paces(PERIODS["hour"], now=NOW)
    assert (busy.workflow_name, busy.total, busy.failed_share) == ("tests.busy", 125, 0.2)
    assert busy.p50 == busy.p95 == pytest.approx(0.1, rel=0.2)
    assert busy.p99 == pytest.approx(60, rel=0.2)
    assert rare.p50 == rare.p99 == pytest.approx(3600, rel=0.2)


def test_a_workflow_that_only_failed_has_no_duration():
    ended(status="failed")
    [found] = paces(PERIODS["hour"], now=NOW)
    assert (found.p50, found.failed) == (None, 1)


def test_only_the_workflows_asked_for_count():
    ended(name="tests.mine")
    ended(name="tests.others")
    assert throughput(PERIODS["hour"], {"tests.mine"}, NOW).total == 1
    assert [pace.workflow_name for pace in paces(PERIODS["hour"], {"tests.mine"}, NOW)] == [
        "tests.mine"
    ]
    assert throughput(PERIODS["hour"], (), NOW).total == 0


def test_each_is_one_statement():
    for period in PERIODS.values():
        for read in (throughput, paces):
            with CaptureQueriesContext(connection) as asked:
                read(period, now=NOW)
            assert len(asked) == 1
