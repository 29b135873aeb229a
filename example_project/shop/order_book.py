"""Fills the shop from the order book, page by page: data/cdnow_orders.csv, one row a purchase.

The book knows no products and no stock; both are derived from it, the same way each time: the
product from the price of one CD, the stock from what was ordered, short for some titles.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import islice
from pathlib import Path

from django.db import transaction
from django.db.models import Sum

from .models import Customer, Invoice, Letter, Newsletter, Order, Parcel, Payment, Product

BOOK = Path(__file__).parent / "data" / "cdnow_orders.csv"

# (SKU, title, price of one CD in dollars up to which it is this one, stock per 100 copies ordered)
CATALOGUE = [
    ("SINGLE", "Two songs and a remix", 8, 120),
    ("BARGAIN", "From the bargain bin", 11, 120),
    ("OLDIES", "Great oldies, volume 7", 12, 120),
    ("STRINGS", "String quartets", 13, 85),
    ("GUITAR", "Six strings, one evening", 14, 120),
    ("CHARTS", "This month's charts", 15, 110),
    ("DEBUT", "The debut that all talk about", 17, 90),
    ("IMPORT", "Import from Japan", 25, 120),
    ("BOX", "The complete box", None, 110),
]


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """One row of the book."""

    number: int
    customer: str
    ordered_on: date
    quantity: int
    amount: Decimal


def read(limit: int | None = None, book: Path = BOOK) -> Iterator[Purchase]:
    """The purchases in the book's order, the first `limit` of them; numbered from 1."""
    with book.open(newline="", encoding="utf-8") as lines:
        for number, row in enumerate(islice(csv.DictReader(lines), limit), start=1):
            yield Purchase(
                number=number,
                customer=row["customer_id"],
                ordered_on=date.fromisoformat(row["ordered_on"]),
                quantity=int(row["quantity"]),
                amount=Decimal(row["amount_usd"]),
            )


def read_page(after: int, rows: int, book: Path = BOOK) -> list[Purchase]:
    """Up to `rows` purchases that follow number `after`; none at the end of the book."""
    return list(islice(read(after + rows, book), after, None))


def add_orders(purchases: list[Purchase]) -> None:
    """Adds purchases to the shop as new orders, with the customers and titles that they need.

    A title that is new here has no copies in stock. `IntegrityError` for an order that is there.
    """
    numbers = {purchase.customer for purchase in purchases}
    Customer.objects.bulk_create(
        [Customer(number=n, reachable=is_reachable(n)) for n in sorted(numbers)],
        ignore_conflicts=True,
    )
    Product.objects.bulk_create(
        [Product(sku=sku, title=title, stock=0) for sku, title, _, _ in CATALOGUE],
        ignore_conflicts=True,
    )
    customers = {
        customer.number: customer for customer in Customer.objects.filter(number__in=numbers)
    }
    products = {product.sku: product for product in Product.objects.all()}
    Order.objects.bulk_create(
        [
            Order(
                number=purchase.number,
                customer=customers[purchase.customer],
                product=products[sku_of(purchase)],
                ordered_on=purchase.ordered_on,
                quantity=purchase.quantity,
                amount=purchase.amount,
            )
            for purchase in purchases
        ],
        batch_size=1000,
    )


@transaction.atomic
def empty_shop() -> None:
    """Takes out all that the shop keeps."""
    for model in (Letter, Newsletter, Parcel, Invoice, Payment, Order, Product, Customer):
        model.objects.all().delete()


def stock_up() -> None:
    """Gives each title so many copies as are needed for what was ordered, or fewer."""
    products = list(Product.objects.all())
    stock = stock_at_first()
    for product in products:
        product.stock = stock[product.sku]
    Product.objects.bulk_update(products, ["stock"])


def stock_at_first() -> dict[str, int]:
    """How many copies of each title the shop has before it sells any."""
    percents = {sku: percent for sku, _, _, percent in CATALOGUE}
    products = Product.objects.annotate(ordered=Sum("orders__quantity", default=0))
    return {product.sku: product.ordered * percents[product.sku] // 100 for product in products}


def copy_book(rows: int | None, target: Path) -> None:
    """Writes an order book of the first `rows` purchases of the real one, None for all."""
    with BOOK.open(encoding="utf-8") as book, target.open("w", encoding="utf-8") as copy:
        copy.writelines(islice(book, None if rows is None else rows + 1))


def sku_of(purchase: Purchase) -> str:
    """The product whose price band the purchase falls in."""
    price = purchase.amount / purchase.quantity
    return next(sku for sku, _, up_to, _ in CATALOGUE if up_to is None or price <= up_to)


def is_reachable(customer: str) -> bool:
    """Whether parcels reach this customer; one in 19 has moved."""
    return int(customer) % 19 != 2
