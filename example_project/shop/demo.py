"""The demo's scenarios of the shop: orders and what follows from them, and orders on invoice."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import QuerySet

import durable_django as durable
from durable_django import Workflow
from example_project.scenario import Scenario

from . import invoice_report, outside, report
from .models import Invoice, Order, Parcel
from .newsletter import SendNewsletter, send_newsletter
from .report import Batch
from .workflows import (
    ImportOrders,
    ProcessOrder,
    RefundPayment,
    RouteOrder,
    SellOnInvoice,
    ShipOrder,
)

CARD_EVERY = 25


def start_each(workflow: type[Workflow], orders: list[Order]) -> None:
    """A run for each order; both commit together."""
    ids = durable.start_many(workflow, [{"order": order.pk} for order in orders])
    for order, run in zip(orders, ids, strict=True):
        order.run = run
    Order.objects.bulk_update(orders, ["run"], batch_size=500)


def on_invoice() -> QuerySet[Order]:
    """One order in ten, of those that cost anything."""
    return Order.objects.filter(number__endswith="6", amount__gt=0)


class Orders(Scenario):
    name = "orders"
    about = "orders from the book: retries, exactly-once stock, branches, a newsletter"
    by_hand = "refund a payment under Payments"
    workflows = (ImportOrders, ProcessOrder, RefundPayment, RouteOrder, SendNewsletter)
    needs_orders = True
    timeline_title = "One order"

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def start(self) -> str:
        with transaction.atomic():
            orders = list(Order.objects.exclude(pk__in=on_invoice()))
            start_each(ProcessOrder, orders)
        return f"{len(orders):,} runs of process_order started."

    def follow(self) -> str:
        """The parcels of the orders that are sent, and a newsletter."""
        sent = Order.objects.filter(status=Order.Status.SENT).order_by("number")
        durable.start_many(
            RouteOrder,
            [
                {"order": pk, **({"card": "With love"} if index % CARD_EVERY == 0 else {})}
                for index, pk in enumerate(sent.values_list("pk", flat=True))
            ],
        )
        send_newsletter("New this week", "Six strings, one evening: the guitar record of the year.")
        return "Parcels are packed, a newsletter goes out."

    def summary(self, batch: Batch) -> Iterable[str]:
        return report.summary(batch)

    def timeline(self, batch: Batch) -> Iterable[str]:
        return report.timeline(batch)

    def mistakes(self, batch: Batch) -> Iterable[str]:
        return report.mistakes(batch, self._rows)


class Invoices(Scenario):
    name = "invoices"
    about = "orders that wait for money by callback or event, expire, and call a shipping workflow"
    by_hand = (
        'under Orders, "Order the same again, on invoice" (of a title with copies left, see '
        "Products); then pay under Invoices, or wait until it expires, and play the carrier under "
        "Parcels"
    )
    workflows = (SellOnInvoice, ShipOrder, RefundPayment)
    needs_orders = True
    timeline_title = "One order on invoice, and the runs that it started"

    def __init__(self) -> None:
        # Invoices that their customers have read.
        self._seen: set[int] = set()

    def start(self) -> str:
        with transaction.atomic():
            orders = list(on_invoice())
            start_each(SellOnInvoice, orders)
        return f"{len(orders):,} orders are sold on invoice."

    def play(self) -> None:
        """Customers pay, and the carrier tells of parcels."""
        unpaid = Invoice.objects.filter(status=Invoice.Status.OPEN).exclude(pk__in=self._seen)
        for invoice in unpaid.select_related("order"):
            self._seen.add(invoice.pk)
            how = outside.how_paid(invoice.order.number)
            if how == "card":
                outside.pay_by_card(invoice)
            elif how == "transfer":
                outside.pay_by_transfer(invoice)
        under_way = Parcel.objects.filter(status=Parcel.Status.UNDER_WAY)
        for parcel in under_way.select_related("order__customer"):
            outside.report_parcel(parcel, delivered=outside.reaches(parcel))

    def summary(self, batch: Batch) -> Iterable[str]:
        return invoice_report.summary(batch)

    def timeline(self, batch: Batch) -> Iterable[str]:
        return invoice_report.timeline(batch)

    def mistakes(self, batch: Batch) -> Iterable[str]:
        return invoice_report.mistakes(batch)
