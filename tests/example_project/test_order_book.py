"""The order book: what is read from it, and the shop that is derived from it."""

from datetime import date
from decimal import Decimal

import pytest

from example_project.shop import order_book, payments
from example_project.shop.models import (
    Customer,
    Invoice,
    Letter,
    Newsletter,
    Order,
    Parcel,
    Payment,
    Product,
)


def test_the_whole_book_is_read():
    purchases = list(order_book.read())
    assert len(purchases) == 6919
    assert len({purchase.customer for purchase in purchases}) == 2357
    assert [purchase.number for purchase in purchases] == list(range(1, 6920))


def test_a_purchase_keeps_its_customers_leading_zeros_and_its_cents():
    first = next(order_book.read())
    assert first == order_book.Purchase(
        number=1,
        customer="00004",
        ordered_on=date(1997, 1, 1),
        quantity=2,
        amount=Decimal("29.33"),
    )


def test_the_first_three_hundred_hold_every_kind_of_trouble():
    purchases = list(order_book.read(300))
    numbers = [purchase.number for purchase in purchases]
    assert any(purchase.amount == 0 for purchase in purchases)
    assert any(payments.declines(number) for number in numbers)
    assert {payments.lost_answers(number) for number in numbers} == {0, 1, 2}
    assert any(not order_book.is_reachable(purchase.customer) for purchase in purchases)


def fill_shop(rows):
    order_book.add_orders(list(order_book.read(rows)))
    order_book.stock_up()


@pytest.mark.django_db
def test_the_shop_is_filled_with_the_orders_asked_for():
    fill_shop(300)
    orders = list(Order.objects.select_related("customer"))
    assert [order.number for order in orders] == list(range(1, 301))
    assert orders[0].customer.number == "00004"
    assert {order.status for order in orders} == {"new"}


@pytest.mark.django_db
def test_stock_runs_out_for_some_titles_and_not_for_others():
    fill_shop(300)
    stock = dict(Product.objects.values_list("sku", "stock"))
    assert stock == order_book.stock_at_first()
    assert sum(stock.values()) == 700
    short = {
        product.sku
        for product in Product.objects.all()
        if sum(product.orders.values_list("quantity", flat=True)) > product.stock
    }
    assert short == {"STRINGS", "DEBUT"}


@pytest.mark.django_db
def test_a_shop_that_was_emptied_can_be_filled_again():
    fill_shop(20)
    order = Order.objects.first()
    payments.charge(order.pk, order.number, order.amount, key="k")
    news = Newsletter.objects.create(subject="News", text="New.")
    Letter.objects.create(newsletter=news, customer=order.customer)
    Invoice.objects.create(order=order, amount=1)
    Parcel.objects.create(order=order, idempotency_key="p")
    order_book.empty_shop()
    fill_shop(10)
    assert (Order.objects.count(), Payment.objects.count(), Letter.objects.count()) == (10, 0, 0)
    assert Customer.objects.count() == len({o.customer_id for o in Order.objects.all()})


@pytest.mark.parametrize(("rows", "copied"), [(5, 5), (None, 6919)])
def test_a_copy_of_the_book_has_its_first_rows(tmp_path, rows, copied):
    order_book.copy_book(rows, tmp_path / "copy.csv")
    assert list(order_book.read(book=tmp_path / "copy.csv")) == list(order_book.read(copied))


@pytest.mark.parametrize(
    ("amount", "quantity", "sku"),
    [("0.00", 1, "SINGLE"), ("29.33", 2, "CHARTS"), ("12.00", 1, "OLDIES"), ("506.97", 5, "BOX")],
)
def test_the_price_of_one_cd_tells_the_product(amount, quantity, sku):
    purchase = order_book.Purchase(
        number=1,
        customer="1",
        ordered_on=date(1997, 1, 1),
        quantity=quantity,
        amount=Decimal(amount),
    )
    assert order_book.sku_of(purchase) == sku


@pytest.mark.parametrize(("amount", "shipping"), [("49.99", "2.95"), ("50.00", "0.00")])
def test_shipping_is_free_from_fifty_dollars_on(amount, shipping):
    assert Order(amount=Decimal(amount)).shipping == Decimal(shipping)
