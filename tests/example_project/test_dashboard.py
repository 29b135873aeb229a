"""The dashboard: figures side by side, the ones that cannot be had told as missing."""

from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from durable_django import MemberFailure, get_schedule, preview_ticks
from durable_django.store import clock
from durable_django.testing import (
    advance,
    assert_attempts,
    assert_status,
    drain,
    fail_once,
    run,
    run_step,
    sync_schedules,
)
from example_project.reports.models import Dashboard
from example_project.reports.workflows import BuildDashboard
from example_project.shop.models import Order, Payment

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def kit(durable):
    """Puts time back after each test."""


@pytest.fixture
def shop(make_order):
    """Three orders, two of one customer; one payment was returned."""
    first, second, third = make_order(1), make_order(2, quantity=5), make_order(3)
    Order.objects.filter(pk=third.pk).update(customer=first.customer)
    Order.objects.update(status=Order.Status.SENT)
    for order, status in ((first, "charged"), (second, "charged"), (third, "refunded")):
        Payment.objects.create(
            order=order, idempotency_key=str(order.pk), amount="22.95", status=status
        )
    return first


def test_the_figures_are_gathered_and_the_missing_one_says_why(shop):
    execution = run(BuildDashboard)
    assert_status(execution, "completed")
    assert execution.outputs["gather"] == {
        "revenue": Decimal("45.90"),
        "best_sellers": ["A record (9)"],
        "loyalty": 0.5,
        "revenue_in_euros": MemberFailure(
            "NoRate", "There is no rate for 1997-01-01: the euro begins on 1999-01-01."
        ),
    }
    assert execution.result["missing"] == ["revenue_in_euros"]
    board = Dashboard.objects.get()
    assert board.run == execution.pk
    assert [(f.name, f.is_missing) for f in board.figures.all()] == [
        ("revenue", False),
        ("best sellers", False),
        ("loyalty", False),
        ("revenue in euros", True),
    ]


def test_with_orders_from_the_time_of_the_euro_nothing_is_missing(shop):
    Order.objects.update(ordered_on=date(2001, 1, 1))
    execution = run(BuildDashboard)
    assert execution.result["missing"] == []
    assert execution.outputs["revenue_in_euros"] == Decimal("38.93")


def test_a_figure_that_fails_once_is_tried_again_the_others_are_not(shop):
    with fail_once(BuildDashboard.best_sellers):
        execution = run(BuildDashboard)
    advance(1)
    drain()
    assert_status(execution, "completed")
    assert_attempts(execution, "best_sellers", 2)
    assert_attempts(execution, "revenue", 1)


def test_a_shop_without_anything_has_a_dashboard_too():
    execution = run(BuildDashboard)
    assert execution.result["missing"] == ["revenue_in_euros"]
    assert execution.outputs["revenue"] == Decimal("0.00")


def test_the_share_of_regulars_alone():
    outputs = {"count_orders": [1, 2, 7, 1]}
    assert run_step(BuildDashboard.share_of_regulars, outputs=outputs) == (0.5, {})


@pytest.fixture
def declared(schedules_of_the_example):
    """The schedule stands in the class, as it does outside of the tests."""
    options = BuildDashboard.definition.options
    object.__setattr__(options, "schedules", schedules_of_the_example["build_dashboard"])
    yield
    object.__setattr__(options, "schedules", ())


def test_it_is_built_when_the_week_begins(shop, declared):
    sync_schedules()
    weekly = get_schedule("build_dashboard: weekly")
    monday = weekly.next_at.astimezone(ZoneInfo("Europe/Berlin"))
    assert (monday.weekday(), monday.hour, monday.minute) == (0, 6, 0)
    advance(weekly.next_at - clock.now())
    drain()
    assert Dashboard.objects.count() == 1
    assert get_schedule(weekly).next_at - weekly.next_at == weekly_gap(weekly)


def weekly_gap(schedule):
    """A week, but for an hour where the clocks change."""
    first, second = preview_ticks(schedule, 2, after=schedule.next_at - timedelta(seconds=1))
    return second - first
