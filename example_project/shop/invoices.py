"""Orders on invoice: they wait for money, then for the carrier, and are undone where either fails.

Imported by workflows.py, which is where durable_django looks.
"""

from functools import partial
from typing import Any, TypedDict

from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

import durable_django as durable
from durable_django import (
    ChildFailed,
    Workflow,
    branch,
    race,
    sleep_for,
    start_workflow,
    step,
    wait_for_callback,
    wait_for_event,
)
from example_project.days import days

from . import outside, stock
from .models import Invoice, Order, Payment


class InvoiceInput(TypedDict):
    order: int


class CameBack(Exception):
    """The carrier could not deliver the parcel."""


class ShipOrder(Workflow):
    """Gives a parcel to the carrier, and ends when the carrier says where it went."""

    input: InvoiceInput

    class Meta:
        name = "ship_order"

    @step
    def hand_over(self) -> str:
        order = Order.objects.get(pk=self.input["order"])
        return outside.collect_parcel(order, key=self.idempotency_key)

    # The carrier knows parcels, and not us: it tells whoever listens what became of this one.
    report = wait_for_event("parcel", key=lambda self: self.outputs["hand_over"], timeout=days(10))

    @step
    def sign_off(self) -> dict[str, Any]:
        """The result, for the run that called; a parcel that came back fails this one."""
        if not self.outputs["report"]["delivered"]:
            raise CameBack(self.outputs["report"]["note"])
        return {"tracking": self.outputs["hand_over"], "note": self.outputs["report"]["note"]}


class SellOnInvoice(Workflow):
    """Sets the copies aside until the money has come, or the customer's time is up; then ships."""

    input: InvoiceInput

    class Meta:
        name = "sell_on_invoice"

    @step(atomic=True)
    def write_invoice(self) -> None:
        order = self._order()
        stock.take(order)
        invoice = Invoice.objects.create(
            order=order,
            amount=order.amount + order.shipping,
            # Made for this run and this wait: who has it can pay this invoice, and nothing else.
            callback_url=self.callback_url("card"),
        )
        self.context["invoice"], self.context["total"] = invoice.number, invoice.amount
        self._set_status(Order.Status.RESERVED)
        self._mail_on_commit("Your invoice", f"Please pay {invoice.amount} dollars.")

    with race() as payment:
        # The pay page has the callback URL …
        by_card = wait_for_callback("card")
        # … the bank knows no more than the number on the transfer …
        by_transfer = wait_for_event("transfer", key=lambda self: self.context["invoice"])
        # … and nobody waits for ever.
        expired = sleep_for(days(14))

    with branch(on=lambda self: self.outputs["payment"]["winner"]) as outcome:
        with outcome.case("expired"):

            @step(atomic=True)
            def give_up(self) -> str:
                """Money that comes from now on finds nobody waiting."""
                Invoice.objects.filter(order=self.input["order"]).update(
                    status=Invoice.Status.EXPIRED
                )
                stock.put_back(self._order())
                self._mail_on_commit("Your order", "We have not seen your money, and give up.")
                return self._set_status(Order.Status.EXPIRED)

        with outcome.default():

            @step(atomic=True)
            def book_payment(self) -> int:
                invoices = Invoice.objects.filter(order=self.input["order"])
                invoices.update(status=Invoice.Status.PAID)
                payment = Payment.objects.create(
                    order_id=self.input["order"],
                    idempotency_key=self.idempotency_key,
                    amount=self.context["total"],
                )
                self.logger.info("%s: %s", payment, self.outputs["payment"])
                return payment.pk

            @step
            def ship(self) -> str:
                """A run of its own does it; how that fails is for this one to deal with."""
                try:
                    shipped = self.call_workflow(ShipOrder, {"order": self.input["order"]})
                except ChildFailed as failure:
                    self.context["why"] = failure.error["message"] if failure.error else "?"
                    return "failed"
                self.context["tracking"] = shipped["tracking"]
                return "delivered"

            with branch(on=ship) as delivery:
                with delivery.case("delivered"):

                    @step
                    def close(self) -> str:
                        return self._set_status(Order.Status.SENT)

                with delivery.default():

                    @step(atomic=True)
                    def take_back(self) -> None:
                        stock.put_back(self._order())
                        self._set_status(Order.Status.RETURNED)

                    refund = start_workflow(
                        "refund_payment",
                        lambda self: {"payment": self.outputs["book_payment"]},
                        idempotency_key=lambda self: f"refund-{self.outputs['book_payment']}",
                    )

    @step
    def tell(self) -> dict[str, Any]:
        """What this last step returns is the result of the run."""
        status = self._order().status
        return {"invoice": self.context["invoice"], "status": status}

    def _order(self) -> Order:
        return Order.objects.select_related("customer").get(pk=self.input["order"])

    def _set_status(self, status: Order.Status) -> str:
        Order.objects.filter(pk=self.input["order"]).update(status=status)
        return status

    def _mail_on_commit(self, subject: str, text: str) -> None:
        """In an atomic step, so that nothing is told that was taken back."""
        order = self._order()
        title = f"{subject} {self.context['invoice']}"
        mail = partial(send_mail, title, text, None, [order.customer.email])
        transaction.on_commit(mail, robust=True)


def order_again(order: Order) -> Order:
    """The same order once more, today and on invoice, with the run that handles it."""
    with transaction.atomic():
        last = Order.objects.aggregate(number=Max("number"))["number"] or 0
        again = Order.objects.create(
            number=last + 1,
            customer_id=order.customer_id,
            product_id=order.product_id,
            ordered_on=timezone.localdate(),
            quantity=order.quantity,
            amount=order.amount,
        )
        again.run = durable.start(SellOnInvoice, {"order": again.pk}).pk
        again.save(update_fields=["run"])
    return again
