"""The bank, as far as the shop can see it: a stub that behaves the same way for an order each time.

It declines some charges, and for a few it takes the money and then loses the connection before its
answer arrives: the nasty case, in which the shop cannot know and has to ask again. As banks do, it
takes an idempotency key, and a charge repeated under its key is answered, not made twice.
"""

import logging
from decimal import Decimal

from django.db.models import F

from .models import Payment

logger = logging.getLogger(__name__)


class PaymentDeclined(Exception):
    """The bank said no; asking again would not change its mind."""


def charge(order_id: int, order_number: int, amount: Decimal, *, key: str) -> int:
    """Take `amount` dollars for an order; the id of the payment.

    Raises `PaymentDeclined`, and `ConnectionError` when no answer came: then repeat it with the
    same `key`.
    """
    if declines(order_number):
        raise PaymentDeclined(f"The bank declined {amount} dollars for order {order_number}.")
    payment, _ = Payment.objects.get_or_create(
        idempotency_key=key, defaults={"order_id": order_id, "amount": amount}
    )
    # An UPDATE, not a save: two requests may arrive at once.
    Payment.objects.filter(pk=payment.pk).update(requests=F("requests") + 1)
    payment.refresh_from_db(fields=["requests"])
    if payment.requests <= lost_answers(order_number):
        raise ConnectionError("The bank closed the connection before it answered.")
    logger.info("the bank took %s dollars (payment %s)", amount, payment.pk)
    return payment.pk


def refund(payment_id: int) -> bool:
    """Give the money back; False if that was done before."""
    charged = Payment.objects.filter(pk=payment_id, status=Payment.Status.CHARGED)
    done = charged.update(status=Payment.Status.REFUNDED) == 1
    logger.info("payment %s %s", payment_id, "refunded" if done else "was refunded before")
    return done


def declines(order_number: int) -> bool:
    """Whether the bank declines this order: one in 29."""
    return order_number % 29 == 7


def lost_answers(order_number: int) -> int:
    """How many answers of the bank get lost for this order: for one order in 17, one or two."""
    if order_number % 17 != 3:
        return 0
    return 2 if order_number % 3 == 0 else 1
