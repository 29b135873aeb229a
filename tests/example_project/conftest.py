"""Orders of the shop, made one at a time; the numbers decide what the bank will do."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest

from example_project.shop.models import Customer, Order, Product

# See payments.py: what the bank does is derived from the order's number.
PLAIN, DECLINED, ONE_ANSWER_LOST, TWO_ANSWERS_LOST = 1, 7, 20, 3

MakeOrder = Callable[..., Order]


@pytest.fixture
def make_order(db: None) -> MakeOrder:
    """Makes an order over `amount`, of a product with `stock` copies, by number."""

    def make(
        number: int = PLAIN,
        *,
        amount: str = "20.00",
        quantity: int = 2,
        stock: int = 10,
        reachable: bool = True,
    ) -> Order:
        return Order.objects.create(
            number=number,
            customer=Customer.objects.create(number=f"{number:05}", reachable=reachable),
            product=Product.objects.create(sku=f"CD-{number}", title="A record", stock=stock),
            ordered_on=date(1997, 1, 1),
            quantity=quantity,
            amount=Decimal(amount),
        )

    return make
