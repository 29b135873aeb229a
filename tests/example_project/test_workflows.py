"""The shop's workflows, run to their ends in the test's own thread."""

from decimal import Decimal

import pytest
from django.core import mail

from durable_django import list_executions, minutes
from durable_django.testing import advance, drain, run
from example_project.shop.models import Order, Payment, Product
from example_project.shop.workflows import ProcessOrder, start_refund

from .conftest import DECLINED, ONE_ANSWER_LOST, TWO_ANSWERS_LOST

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def kit(durable):
    """Puts time back after each test."""


def process(order):
    """Runs the order's workflow, past the delays of its retries, until it has ended."""
    execution = run(ProcessOrder, {"order": order.pk})
    for _ in range(5):
        if execution.is_final:
            break
        advance(minutes(1))
        drain()
        execution.refresh_from_db()
    return execution


def steps_of(execution):
    return [(step.name, step.status) for step in execution.steps.order_by("id")]


def test_an_order_is_paid_sent_and_confirmed(make_order):
    order = make_order()
    execution = process(order)
    assert execution.status == "completed", execution.error
    assert execution.result == {"order": 1, "total": Decimal("22.95"), "sent": True}
    assert Order.objects.get().status == "sent"
    assert Product.objects.get().stock == 8
    assert Payment.objects.get().amount == Decimal("22.95")
    assert [message.subject for message in mail.outbox] == ["Your order 1"]


def test_an_order_of_no_dollars_is_refused_at_once(make_order):
    execution = process(make_order(amount="0.00"))
    assert execution.status == "failed"
    assert execution.error["message"] == "Order 1 is over 0.00 dollars."
    assert steps_of(execution) == [("validate", "failed")]
    assert Order.objects.get().status == "refused"


def test_an_order_of_more_copies_than_are_left_fails_and_takes_none(make_order):
    execution = process(make_order(quantity=3, stock=2))
    assert execution.status == "failed"
    assert execution.error["node"] == "reserve_stock"
    assert Product.objects.get().stock == 2
    assert not Payment.objects.exists()


def test_the_last_copies_are_sold(make_order):
    assert process(make_order(quantity=2, stock=2)).status == "completed"
    assert Product.objects.get().stock == 0


def test_a_declined_payment_is_not_tried_again(make_order):
    execution = process(make_order(DECLINED))
    assert execution.status == "failed"
    assert steps_of(execution)[-1] == ("charge_payment", "failed")
    assert execution.steps.filter(name="charge_payment").count() == 1
    assert Order.objects.get().status == "reserved"


@pytest.mark.parametrize(("number", "attempts"), [(ONE_ANSWER_LOST, 2), (TWO_ANSWERS_LOST, 3)])
def test_a_lost_answer_is_asked_for_again_and_the_customer_pays_once(make_order, number, attempts):
    execution = process(make_order(number))
    assert execution.status == "completed", execution.error
    assert execution.steps.filter(name="charge_payment").count() == attempts
    assert Payment.objects.get().requests == attempts


def test_a_parcel_that_comes_back_is_refunded_by_a_run_of_its_own(make_order):
    order = make_order(reachable=False)
    execution = process(order)
    drain()
    assert execution.result["sent"] is False
    assert Product.objects.get().stock == 10
    assert Payment.objects.get().status == "refunded"
    assert [run.status for run in list_executions(workflow="refund_payment")] == ["completed"]
    assert len(mail.outbox) == 2


def test_a_refund_started_twice_is_one_run(make_order):
    payment = Payment.objects.create(order=make_order(), idempotency_key="k", amount=5)
    start_refund(payment.pk)
    start_refund(payment.pk)
    drain()
    assert list_executions(workflow="refund_payment").count() == 1
    assert len(mail.outbox) == 1
