"""The workflows that loop and choose: an import of the order book, and how an order is packed."""

import pytest

from durable_django.testing import assert_nodes_run, assert_status, crash_after, crash_before, run
from example_project.shop import flows, order_book
from example_project.shop.models import Customer, Order
from example_project.shop.order_book import read, read_page
from example_project.shop.workflows import ImportOrders, RouteOrder

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def kit(durable):
    """Puts time back after each test."""


@pytest.fixture
def book(tmp_path):
    """A file with the first purchases of the real book, as many as asked for."""

    def make(rows):
        lines = ["customer_id,ordered_on,quantity,amount_usd"]
        for row in read(rows):
            lines.append(f"{row.customer},{row.ordered_on},{row.quantity},{row.amount}")
        path = tmp_path / "orders.csv"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(path)

    return make


def imported_pages(execution):
    rows = execution.steps.filter(name="import_page", status="completed").order_by("id")
    return [(row.path, row.output) for row in rows]


def numbers():
    return list(Order.objects.values_list("number", flat=True))


def test_a_page_of_the_book_follows_the_one_before():
    assert [purchase.number for purchase in read_page(3, 2)] == [4, 5]
    assert [purchase.number for purchase in read_page(6917, 5)] == [6918, 6919]
    assert read_page(6919, 5) == []


def test_a_book_is_imported_page_by_page_until_nothing_is_left(book):
    execution = run(ImportOrders, {"book": book(25), "rows": 10})
    assert_status(execution, "completed")
    assert execution.result == {"orders": 25}
    assert imported_pages(execution) == [
        ("importing[1]/import_page", 10),
        ("importing[2]/import_page", 10),
        ("importing[3]/import_page", 5),
    ]
    assert numbers() == list(range(1, 26))
    first, real = Order.objects.select_related("customer").get(number=1), next(read())
    assert (first.customer.number, first.amount) == (real.customer, real.amount)
    assert Customer.objects.count() == len({row.customer for row in read(25)})


@pytest.mark.parametrize(("rows", "pages"), [(0, [0]), (20, [10, 10, 0])])
def test_an_import_ends_where_the_book_ends_with_a_page(book, rows, pages):
    execution = run(ImportOrders, {"book": book(rows), "rows": 10})
    assert execution.result == {"orders": rows}
    assert [output for _, output in imported_pages(execution)] == pages


@pytest.mark.parametrize("crash", [crash_before, crash_after])
def test_a_crash_in_the_middle_of_an_import_neither_loses_nor_doubles_a_row(
    book, monkeypatch, crash
):
    added = []

    def add_orders(page):
        order_book.add_orders(page)
        added.append(len(page))
        if len(added) == 1:
            crash(ImportOrders.import_page)  # strikes the next page

    monkeypatch.setattr(flows, "add_orders", add_orders)
    execution = run(ImportOrders, {"book": book(25), "rows": 10})
    assert_status(execution, "completed")
    assert added == ([10, 10, 5] if crash is crash_before else [10, 10, 10, 5])
    assert execution.result == {"orders": 25}
    assert numbers() == list(range(1, 26))
    assert [output for _, output in imported_pages(execution)] == [10, 10, 5]


def test_a_book_that_is_not_there_is_refused_before_any_order():
    execution = run(ImportOrders, {"book": "nowhere.csv"})
    assert execution.error["message"] == "There is no order book nowhere.csv."
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("quantity", "card", "kind", "packed", "nodes"),
    [
        (2, None, "small", "a padded envelope", ["fill_envelope"]),
        (9, "", "small", "a padded envelope", ["fill_envelope"]),
        (10, None, "bulk", "1 box", ["fill_boxes"]),
        (31, None, "bulk", "2 boxes", ["fill_boxes"]),
        (40, "For you", "gift", "red paper, with a card: For you", ["wrap", "write_card"]),
    ],
)
def test_an_order_is_packed_as_its_kind_asks_for(make_order, quantity, card, kind, packed, nodes):
    execution = run(RouteOrder, {"order": make_order(quantity=quantity).pk, "card": card})
    assert execution.result == {"kind": kind, "packed": packed}
    assert_nodes_run(execution, ["kind", "pack", *nodes, "label"])
