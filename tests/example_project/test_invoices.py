"""Orders on invoice: paid by callback or event, or not in time; shipped by a run of their own."""

import pytest
from django.core import mail
from django.urls import reverse

from durable_django import days, get_execution, list_children, list_executions
from durable_django.testing import (
    advance,
    assert_nodes_run,
    assert_status,
    crash_after,
    crash_before,
    drain,
    run,
)
from example_project.shop import outside
from example_project.shop.invoices import SellOnInvoice, ShipOrder, order_again
from example_project.shop.models import Invoice, Order, Parcel, Payment, Product

pytestmark = pytest.mark.django_db

PAY = [outside.pay_by_card, outside.pay_by_transfer]


@pytest.fixture(autouse=True)
def kit(durable):
    """Puts time back after each test."""


@pytest.fixture
def sell(make_order):
    """Sells an order on invoice; (its run, its invoice), waiting for money."""

    def make(**options):
        execution = run(SellOnInvoice, {"order": make_order(**options).pk})
        return execution, Invoice.objects.get()

    return make


def carrier_says(delivered):
    outside.report_parcel(Parcel.objects.get(), delivered=delivered)
    drain()


def pay(invoice, how=outside.pay_by_card):
    how(invoice)
    drain()


def became(execution):
    """(the run's status, the order's, the invoice's, copies left)"""
    execution.refresh_from_db()
    order, invoice, product = Order.objects.get(), Invoice.objects.get(), Product.objects.get()
    return execution.status, order.status, invoice.status, product.stock


def test_an_order_on_invoice_waits_with_its_copies_set_aside(sell):
    execution, _ = sell()
    assert became(execution) == ("waiting", "reserved", "open", 8)
    assert not Payment.objects.exists()


@pytest.mark.parametrize("how", PAY)
def test_an_order_that_is_paid_is_shipped_by_a_child_and_ends_delivered(sell, how):
    execution, invoice = sell()
    pay(invoice, how)
    assert became(execution) == ("waiting", "reserved", "paid", 8)
    [child] = list_children(execution)
    assert child.workflow_name == "ship_order"
    carrier_says(delivered=True)
    assert became(execution) == ("completed", "sent", "paid", 8)
    assert execution.result == {"invoice": invoice.number, "status": "sent"}
    assert get_execution(child).result["note"] == "left at the door"
    assert Payment.objects.get().amount == invoice.amount


@pytest.mark.parametrize("how", PAY)
def test_money_that_is_told_of_twice_counts_once(sell, how):
    execution, invoice = sell()
    how(invoice)
    pay(invoice, how)
    pay(invoice, how)
    carrier_says(delivered=True)
    assert became(execution) == ("completed", "sent", "paid", 8)
    assert Payment.objects.count() == 1
    assert list_children(execution).count() == 1


def test_of_two_ways_to_pay_at_once_the_first_counts(sell):
    execution, invoice = sell()
    outside.pay_by_transfer(invoice)
    outside.pay_by_card(invoice)
    drain()
    assert get_execution(execution).outputs["payment"]["winner"] == "by_transfer"
    assert Payment.objects.count() == 1


def test_a_transfer_that_is_told_of_early_is_kept(make_order):
    order = make_order()
    execution = SellOnInvoice.start({"order": order.pk})
    invoice_to_come = Invoice(pk=(Invoice.objects.create(order=make_order(2), amount=1).pk + 1))
    invoice_to_come.amount = order.amount + order.shipping
    outside.pay_by_transfer(invoice_to_come)
    drain()
    assert Invoice.objects.get(order=order).pk == invoice_to_come.pk
    assert get_execution(execution).outputs["payment"]["winner"] == "by_transfer"


def test_an_invoice_that_is_not_paid_in_two_weeks_expires_and_its_copies_go_back(
    sell, django_capture_on_commit_callbacks
):
    execution, invoice = sell()
    advance(days(14))
    with django_capture_on_commit_callbacks(execute=True):
        drain()
    assert became(execution) == ("completed", "expired", "expired", 10)
    assert [message.subject for message in mail.outbox] == [f"Your order {invoice.number}"]
    assert_nodes_run(
        execution,
        [*("write_invoice", "payment", "expired", "payment"), "outcome", "give_up", "tell"],
    )


@pytest.mark.parametrize("how", PAY)
def test_money_that_comes_too_late_changes_nothing(sell, how):
    execution, invoice = sell()
    advance(days(14))
    drain()
    pay(invoice, how)
    assert became(execution) == ("completed", "expired", "expired", 10)
    assert not Payment.objects.exists()


def test_a_parcel_that_comes_back_fails_the_child_and_the_parent_gives_the_money_back(sell):
    execution, invoice = sell()
    pay(invoice)
    carrier_says(delivered=False)
    assert became(execution) == ("completed", "returned", "paid", 10)
    assert get_execution(execution).context["why"] == "nobody of that name lives there"
    assert {child.workflow_name: child.status for child in list_children(execution)} == {
        "ship_order": "failed",
        "refund_payment": "completed",
    }
    assert Payment.objects.get().status == "refunded"


def test_a_parcel_of_which_nobody_hears_again_is_refunded_too(sell):
    execution, invoice = sell()
    pay(invoice)
    advance(days(10))
    drain()
    assert became(execution) == ("completed", "returned", "paid", 10)
    [failed] = list_executions(workflow=ShipOrder)
    assert failed.error["type"] == "WaitTimeout"


def test_an_order_of_more_than_there_is_gets_no_invoice(make_order):
    execution = run(SellOnInvoice, {"order": make_order(quantity=3, stock=2).pk})
    assert execution.error["type"].endswith("OutOfStock")
    assert not Invoice.objects.exists()


@pytest.mark.parametrize("crash", [crash_before, crash_after])
@pytest.mark.parametrize("node", ["book_payment", "ship", "take_back"])
def test_a_crash_books_ships_and_takes_back_once(sell, crash, node):
    execution, invoice = sell()
    with crash(getattr(SellOnInvoice, node)):
        pay(invoice)
        carrier_says(delivered=False)
        drain()
    assert became(execution) == ("completed", "returned", "paid", 10)
    assert Payment.objects.count() == Parcel.objects.count() == 1
    assert list_children(execution).count() == 2


def test_a_crash_while_a_parcel_is_handed_over_does_not_send_it_twice(sell):
    execution, invoice = sell()
    with crash_after(ShipOrder.hand_over):
        pay(invoice)
    drain()
    carrier_says(delivered=True)
    assert became(execution) == ("completed", "sent", "paid", 8)


def test_who_has_no_authentic_url_pays_nothing(sell):
    execution, invoice = sell()
    invoice.callback_url = invoice.callback_url[:-2] + "x/"
    with pytest.raises(outside.NotTaken, match="404"):
        outside.pay_by_card(invoice)
    assert became(execution) == ("waiting", "reserved", "open", 8)


def test_the_same_order_again_is_a_new_one_on_invoice(make_order):
    again = order_again(make_order(7))
    drain()
    assert (again.number, again.quantity) == (8, 2)
    assert again.invoice.amount == again.amount + again.shipping
    assert_status(get_execution(again.run), "waiting")


def test_all_of_it_can_be_played_in_the_admin(admin_client, make_order):
    def act(model, action, pk):
        page = reverse(f"admin:shop_{model}_changelist")
        admin_client.post(page, {"action": action, "_selected_action": [pk]})
        drain()

    act("order", "order_again", make_order().pk)
    act("order", "order_again", make_order(5).pk)
    by_card, by_transfer = Invoice.objects.all()
    act("invoice", "pay_by_card", by_card.pk)
    act("invoice", "pay_by_transfer", by_transfer.pk)
    delivered, came_back = Parcel.objects.all()
    act("parcel", "deliver", delivered.pk)
    act("parcel", "bring_back", came_back.pk)
    act("parcel", "deliver", came_back.pk)  # has been reported already
    statuses = Order.objects.exclude(invoice=None).values_list("status", flat=True)
    assert list(statuses) == ["sent", "returned"]
