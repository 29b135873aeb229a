"""What the demo prints about the orders on invoice, and whether that adds up. It only reads."""

from collections import Counter
from collections.abc import Iterator

from django.db.models import Count

import durable_django as durable

from . import outside
from .models import Invoice, Order, Parcel, Payment
from .report import Batch, attempts_of

# What an order has come to when its invoice has.
ENDS = {
    Invoice.Status.EXPIRED: {Order.Status.EXPIRED},
    Invoice.Status.PAID: {Order.Status.SENT, Order.Status.RETURNED},
}


def summary(batch: Batch) -> Iterator[str]:
    """The table of what became of the invoices and their parcels, line by line."""
    for workflow in ("sell_on_invoice", "ship_order"):
        yield from batch.lines(workflow)
    for status, count in sorted(_paid().items()):
        yield f"  invoices        {status:<28}{count:>7,}"
    parcels = Parcel.objects.order_by("status").values_list("status")
    for status, count in parcels.annotate(Count("pk")):
        yield f"  parcels         {status:<28}{count:>7,}"


def mistakes(batch: Batch) -> Iterator[str]:
    """What must never be seen: goods that went without money, or money without goods."""
    for invoice in Invoice.objects.select_related("order__customer"):
        order, paid = invoice.order, bool(outside.how_paid(invoice.order.number))
        if paid != (invoice.status == Invoice.Status.PAID):
            yield f"{invoice} is {invoice.status}, and was {'' if paid else 'not '}paid"
        if order.status not in ENDS.get(Invoice.Status(invoice.status), set()):
            yield f"{invoice} is {invoice.status}, and {order} {order.status}"
        payments = Payment.objects.filter(order=order).count()
        parcels = Parcel.objects.filter(order=order).count()
        if (payments, parcels) != (int(paid), int(paid)):
            yield f"{order} has {payments} payments and {parcels} parcels"
        if paid and order.customer.reachable != (order.status == Order.Status.SENT):
            yield f"{order} is {order.status}, reachable or not"
    under_way = Parcel.objects.filter(status=Parcel.Status.UNDER_WAY).count()
    if under_way:
        yield f"{under_way} parcels are still under way"


def timeline(batch: Batch) -> Iterator[str]:
    """The attempts of one order that was paid and came back, line by line, and of the run that
    shipped it."""
    orders = Order.objects.filter(invoice__status=Invoice.Status.PAID, run__isnull=False)
    order = orders.order_by("status", "number").first()
    if order is not None and order.run is not None:
        yield from attempts_of(durable.get_execution(order.run), str(order))
        for child in durable.list_children(order.run):
            yield from attempts_of(durable.get_execution(child.pk), "started by it")


def _paid() -> Counter[str]:
    """How many invoices were paid how."""
    numbers = Invoice.objects.values_list("status", "order__number")
    return Counter(
        f"{status} by {outside.how_paid(number)}" if status == Invoice.Status.PAID else status
        for status, number in numbers
    )
