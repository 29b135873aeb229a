"""Copies that are set aside for an order, and those that come back. Call it in a transaction."""

from django.db.models import F

from .models import Order, Product


class OutOfStock(Exception):
    """Fewer copies are left than were ordered."""


def take(order: Order) -> None:
    """Set the copies of an order aside; OutOfStock if there are not enough."""
    in_stock = Product.objects.filter(pk=order.product_id, stock__gte=order.quantity)
    # One UPDATE that tests and takes: two runs cannot both take the last copy.
    if not in_stock.update(stock=F("stock") - order.quantity):
        raise OutOfStock(f"{order.quantity} of {order.product} were ordered, fewer are left.")


def put_back(order: Order) -> None:
    """They can be sold again."""
    Product.objects.filter(pk=order.product_id).update(stock=F("stock") + order.quantity)
