"""The demo: it ends, adds up, can be run again, and says so when something does not add up."""

from argparse import ArgumentTypeError
from contextlib import contextmanager
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import transaction

from durable_django import get_execution, hours
from durable_django.testing import advance, drain
from example_project.expenses.models import Claim
from example_project.expenses.workflows import submit
from example_project.reports.models import Figure
from example_project.shop.management.commands import shop_demo
from example_project.shop.models import Invoice, Letter, Parcel, Payment, Product
from example_project.trials.models import Trial
from example_project.trips.models import Reservation, Trip

pytestmark = pytest.mark.django_db


class Worker:
    """Stands for the process: it works whenever the demo looks how far it is. Where nothing is left
    to do but wait, hours pass."""

    def poll(self):
        advance(1 if drain() else hours(6))


@pytest.fixture(autouse=True)
def worker(durable, monkeypatch, settings, tmp_path):
    """A worker in the test's own thread, and a demo that does not pause between two looks."""

    @contextmanager
    def beside(log, **environment):
        assert float(environment["SECONDS_A_DAY"]) > 0
        yield Worker()

    settings.VAR = tmp_path
    monkeypatch.setattr(shop_demo, "worker", beside)
    monkeypatch.setattr(shop_demo, "end_on_sigterm", lambda: None)
    monkeypatch.setattr(shop_demo, "LOOK_SECONDS", 0)


def demo(orders=40, trips=30, only=()):
    said = StringIO()
    call_command("shop_demo", stdout=said, orders=orders, trips=trips, only=only)
    return said.getvalue()


def test_it_adds_up_shows_every_kind_of_trouble_and_can_be_run_again():
    said = demo()
    assert "40 orders are imported" in said
    for word in (
        *("PaymentDeclined", "compensation_failed", "NotAvailable", "missing:", "refused: "),
        *("paid by card", "paid by transfer", "expired", "CameBack", "reminders: 3"),
        *("approved  by felicia", "joined", "after a reminder"),
    ):
        assert word in said
    assert "stay/book_hotel~cancel_hotel" in said
    assert "All of it adds up." in said
    assert "All of it adds up." in demo(orders=15, trips=5)


@pytest.mark.parametrize("name", [scenario.name for scenario in shop_demo.SCENARIOS])
def test_a_scenario_is_played_alone(name):
    said = demo(orders=15, trips=3, only=[name])
    assert "All of it adds up." in said
    assert ("approve_expense" in said) == (name == "expenses")
    assert ("process_order" in said) == (name == "orders")
    assert "make demo ONLY=expenses" in said
    assert "log in as emma (password emma) and add a claim" in said


def test_what_a_demo_before_it_left_is_cancelled():
    left = submit(
        Claim(
            employee=get_user_model().objects.create(username="x"),
            title="Left",
            amount=500,
            spent_on="2026-01-01",
        )
    )
    drain()
    demo(only=["trips"], trips=1)
    assert get_execution(left.run).status == "cancelled"


SPOILED = {
    "copies taken and": lambda: Product.objects.update(stock=500),
    "letters were sent, not": lambda: Letter.objects.first().delete(),
    "flights booked and": lambda: Reservation.objects.update(is_cancelled=True),
    "trips are booked, not": lambda: Trip.objects.update(status="booked"),
    "the dashboard says 7 dollars": lambda: Figure.objects.update(value="7"),
    "payments were refunded": lambda: Payment.objects.update(status="refunded"),
    "was not paid": lambda: Invoice.objects.update(status="paid"),
    "is expired, and was paid": lambda: Invoice.objects.update(status="expired"),
    "has 1 payments and 0 parcels": lambda: Parcel.objects.all().delete(),
    "is rejected, and was answered ['approved'] by 1": lambda: Claim.objects.update(
        status="rejected"
    ),
    "nobody was reminded of": lambda: Claim.objects.update(reminders=0),
    "is ended after": lambda: Trial.objects.update(status="ended"),
    "was not reminded": lambda: Trial.objects.update(was_reminded=False),
}


def test_it_fails_when_something_does_not_add_up(monkeypatch):
    add_up = shop_demo.Command._add_up
    told = []

    @transaction.atomic
    def spoiled(spoil, *args):
        spoil()
        add_up(*args)

    def spoil_and_add_up(*args):
        for spoil in SPOILED.values():
            with pytest.raises(CommandError) as raised:
                spoiled(spoil, *args)
            told.append(str(raised.value))
        add_up(*args)  # all of that was taken back

    monkeypatch.setattr(shop_demo.Command, "_add_up", spoil_and_add_up)
    demo(orders=30, trips=10)
    assert [word in text for word, text in zip(SPOILED, told, strict=True)] == [True] * len(told)


@pytest.mark.parametrize("text", ["0", "-3", "some", ""])
def test_a_number_of_orders_that_is_none_is_refused(text):
    with pytest.raises(ArgumentTypeError, match="neither a number from 1 on nor 'all'"):
        shop_demo.orders_or_all(text)
