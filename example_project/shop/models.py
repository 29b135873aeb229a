"""What the shop keeps: customers, products with stock, orders, payments, invoices, newsletters.

Plain Django models; none of them knows of workflows but for the fields called run, which say what
handles an order or a newsletter. The rules stand in workflows.py, invoices.py, newsletter.py and
payments.py.
"""

from decimal import Decimal
from typing import Any

from django.db import models


def MoneyField(**options: Any) -> models.DecimalField:  # noqa: N802
    """Dollars and cents."""
    return models.DecimalField(max_digits=9, decimal_places=2, **options)


class Customer(models.Model):
    number = models.CharField(max_length=5, unique=True)
    # Some customers have moved and told nobody: what is sent to them comes back.
    reachable = models.BooleanField(default=True)

    def __str__(self) -> str:
        return f"customer {self.number}"

    @property
    def email(self) -> str:
        return f"customer-{self.number}@example.com"


class Product(models.Model):
    sku = models.CharField(max_length=20, unique=True)
    title = models.CharField(max_length=100)
    stock = models.PositiveIntegerField(help_text="Copies that no order has taken yet.")

    class Meta:
        ordering = ["sku"]
        constraints = [
            # Some databases let a positive integer go below zero; the shop must not.
            models.CheckConstraint(condition=models.Q(stock__gte=0), name="shop_stock_not_negative")
        ]

    def __str__(self) -> str:
        return self.title


class Order(models.Model):
    class Status(models.TextChoices):
        NEW = "new"
        RESERVED = "reserved", "copies set aside"
        SENT = "sent"
        RETURNED = "returned", "came back, to be refunded"
        REFUSED = "refused"
        EXPIRED = "expired", "not paid in time"

    number = models.PositiveIntegerField(unique=True, help_text="The line in the order book.")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="orders")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="orders")
    ordered_on = models.DateField()
    quantity = models.PositiveIntegerField()
    amount = MoneyField(help_text="Price of the goods, in dollars.")
    status = models.CharField(max_length=10, choices=Status, default=Status.NEW)
    run = models.UUIDField(null=True, blank=True, help_text="The run that handles this order.")

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return f"order {self.number}"

    @property
    def shipping(self) -> Decimal:
        """2.95 dollars, nothing from 50 dollars on."""
        return Decimal("0.00") if self.amount >= 50 else Decimal("2.95")


class Payment(models.Model):
    """The bank's record of one charge; payments.py is the bank."""

    class Status(models.TextChoices):
        CHARGED = "charged"
        REFUNDED = "refunded"

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="payments")
    idempotency_key = models.CharField(max_length=200, unique=True)
    amount = MoneyField()
    status = models.CharField(max_length=10, choices=Status, default=Status.CHARGED)
    requests = models.PositiveIntegerField(default=0, help_text="How often the shop asked for it.")

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"payment {self.pk} for {self.order}"


class Invoice(models.Model):
    """An order that is paid when the customer gets round to it."""

    class Status(models.TextChoices):
        OPEN = "open"
        PAID = "paid"
        EXPIRED = "expired"

    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="invoice")
    amount = MoneyField()
    callback_url = models.TextField(help_text="Where the pay page says that this one is paid.")
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"invoice {self.number}"

    @property
    def number(self) -> str:
        """Never given twice, also not after the shop was emptied."""
        return f"INV-{self.pk}"


class Parcel(models.Model):
    """The carrier's record of one parcel; outside.py is the carrier."""

    class Status(models.TextChoices):
        UNDER_WAY = "under way"
        DELIVERED = "delivered"
        CAME_BACK = "came back"

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="parcels")
    idempotency_key = models.CharField(max_length=200, unique=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.UNDER_WAY)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"parcel {self.tracking}"

    @property
    def tracking(self) -> str:
        return f"P-{self.pk}"


class Newsletter(models.Model):
    """News for all customers; each gets one letter."""

    subject = models.CharField(max_length=200)
    text = models.TextField()
    run = models.UUIDField(null=True, blank=True, help_text="The run that sends it.")

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.subject


class Letter(models.Model):
    """A newsletter has gone out to a customer: one row, so that nobody gets it twice."""

    newsletter = models.ForeignKey(Newsletter, on_delete=models.CASCADE, related_name="letters")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="letters")
    sent_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["newsletter", "customer"], name="shop_one_letter_each")
        ]

    def __str__(self) -> str:
        return f"{self.newsletter} for {self.customer}"
