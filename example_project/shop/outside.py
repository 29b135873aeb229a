"""The pay page, the bank and the carrier: systems of others, that answer when they like.

They know no run. The pay page was given a URL, and posts to it; the bank and the carrier tell of a
number that is theirs, and whoever waits for it hears them. Who plays them is the demo, or an action
in the admin.
"""

from urllib.parse import urlsplit

from django.test import Client

import durable_django as durable
from example_project.days import days

from .models import Invoice, Order, Parcel


class NotTaken(Exception):
    """The shop did not take what it was told."""


def pay_by_card(invoice: Invoice) -> None:
    """The customer has paid at the pay page; it says so to the URL it was given, as often as it
    likes: the shop counts that once."""
    # Through the project's own URLs and views, but without a network.
    path = urlsplit(invoice.callback_url).path
    paid = {"invoice": invoice.number, "amount": str(invoice.amount)}
    response = Client().post(path, paid, content_type="application/json")
    if response.status_code != 202:
        raise NotTaken(f"{invoice}: {response.status_code} {response.content!r}")


def pay_by_transfer(invoice: Invoice) -> None:
    """The customer has transferred the money; the bank tells the number written on it."""
    # Kept for a while: it may be told before anybody has begun to wait. Told twice it counts once.
    durable.publish_event(
        "transfer",
        key=invoice.number,
        payload={"amount": invoice.amount},
        keep=days(14),
        idempotency_key=f"transfer-{invoice.pk}",
    )


def collect_parcel(order: Order, *, key: str) -> str:
    """The carrier takes a parcel; its tracking number. Asked twice under one key it takes one."""
    parcel, _ = Parcel.objects.get_or_create(idempotency_key=key, defaults={"order": order})
    return parcel.tracking


def report_parcel(parcel: Parcel, *, delivered: bool) -> None:
    """The carrier tells what became of a parcel."""
    parcel.status = Parcel.Status.DELIVERED if delivered else Parcel.Status.CAME_BACK
    parcel.save(update_fields=["status"])
    note = "left at the door" if delivered else "nobody of that name lives there"
    durable.publish_event(
        "parcel", key=parcel.tracking, payload={"delivered": delivered, "note": note}, keep=days(10)
    )


def reaches(parcel: Parcel) -> bool:
    """Whether the carrier finds the customer."""
    return parcel.order.customer.reachable


def how_paid(order_number: int) -> str:
    """How a customer pays an invoice: "card", "transfer", or "" for one in six who does not."""
    return ("card", "transfer", "", "card", "transfer", "card")[order_number // 10 % 6]
