"""What happens to an order, as two workflows; found by durable_django because of this file's name,
and with them those of flows.py, invoices.py and newsletter.py.

Rows are named by their keys and loaded where they are needed: what a step puts into the context is
kept as JSON, and a model instance would be a stale copy of a row.
"""

from datetime import timedelta
from typing import Any, TypedDict

from django.core.mail import send_mail

import durable_django as durable
from durable_django import Fatal, Retry, Workflow, hours, minutes, step

from . import payments, stock
from .flows import ImportOrders as ImportOrders
from .flows import RouteOrder as RouteOrder
from .invoices import SellOnInvoice as SellOnInvoice
from .invoices import ShipOrder as ShipOrder
from .models import Order, Payment
from .newsletter import SendNewsletter as SendNewsletter


class OrderInput(TypedDict):
    order: int


class RefundInput(TypedDict):
    payment: int


class ProcessOrder(Workflow):
    """From a new order to a parcel and a mail."""

    input: OrderInput

    class Meta:
        name = "process_order"
        timeout = hours(2)

    @step
    def validate(self) -> None:
        """Refuse what cannot be sold."""
        order = Order.objects.select_related("customer").get(pk=self.input["order"])
        if order.amount <= 0:
            Order.objects.filter(pk=order.pk).update(status=Order.Status.REFUSED)
            # Nobody needs to try this again: the order will not get better.
            raise Fatal(f"Order {order.number} is over {order.amount} dollars.")
        self.context["order_number"] = order.number
        self.context["email"] = order.customer.email

    @step(atomic=True)
    def reserve_stock(self) -> int:
        """Set the copies aside: the stock and this step's checkpoint change together, or neither.

        A payment declined later leaves them set aside, so that the order can be tried again.
        """
        order = Order.objects.get(pk=self.input["order"])
        stock.take(order)
        Order.objects.filter(pk=order.pk).update(status=Order.Status.RESERVED)
        return order.quantity

    @step
    def calculate_total(self) -> None:
        order = Order.objects.get(pk=self.input["order"])
        self.context["total"] = order.amount + order.shipping
        self.logger.info("%s for goods, %s for shipping", order.amount, order.shipping)

    @step(
        retry=Retry(max_attempts=3, base=0.5, never_on=payments.PaymentDeclined),
        timeout=minutes(5),
    )
    def charge_payment(self) -> None:
        """Ask the bank for the money, again if its answer got lost: under one key it pays once."""
        self.context["payment"] = payments.charge(
            self.input["order"],
            self.context["order_number"],
            self.context["total"],
            key=self.idempotency_key,
        )

    @step(atomic=True)
    def dispatch(self) -> str:
        """Send the parcel; one that comes back goes into stock, and its money back."""
        order = Order.objects.select_related("customer").get(pk=self.input["order"])
        if order.customer.reachable:
            order.status = Order.Status.SENT
        else:
            order.status = Order.Status.RETURNED
            stock.put_back(order)
            # Started with this transaction: no refund without the return, no return without it.
            start_refund(self.context["payment"])
        order.save(update_fields=["status"])
        return order.status

    @step
    def send_confirmation(self) -> dict[str, Any]:
        """Tell the customer; what this last step returns is the result of the run."""
        number, sent = self.context["order_number"], self.outputs["dispatch"] == "sent"
        news = "is on its way" if sent else "came back to us, so you get your money back"
        send_mail(
            f"Your order {number}",
            f"Your order over {self.context['total']} dollars {news}.",
            None,
            [self.context["email"]],
        )
        return {"order": number, "total": self.context["total"], "sent": sent}


class RefundPayment(Workflow):
    """Gives the money of one payment back."""

    input: RefundInput

    class Meta:
        name = "refund_payment"
        timeout = timedelta(days=1)
        retry = Retry(max_attempts=5, base=0.5)

    @step
    def refund(self) -> bool:
        return payments.refund(self.input["payment"])

    @step
    def tell_customer(self) -> None:
        payment = Payment.objects.select_related("order__customer").get(pk=self.input["payment"])
        send_mail(
            f"Your money for order {payment.order.number}",
            f"We have returned {payment.amount} dollars to your account.",
            None,
            [payment.order.customer.email],
        )


def start_refund(payment_id: int) -> None:
    """Start the refund of a payment; a second start finds the first.

    In `transaction.atomic()` it commits or rolls back with the caller's data.
    """
    durable.start(RefundPayment, {"payment": payment_id}, idempotency_key=f"refund-{payment_id}")
