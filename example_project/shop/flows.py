"""Workflows with more than one way through: one goes round a loop, one chooses between branches.

Imported by workflows.py, which is where durable_django looks.
"""

from pathlib import Path
from typing import Any, TypedDict

from durable_django import Fatal, Workflow, branch, hours, loop, step

from .models import Order
from .order_book import BOOK, add_orders, read_page

BULK_FROM = 10  # copies; so many do not go into one parcel
BOX_COPIES = 30


class ImportInput(TypedDict):
    book: str
    rows: int


class ImportOrders(Workflow):
    """Reads an order book page by page until nothing is left in it; each row becomes one order."""

    input: ImportInput

    class Meta:
        name = "import_orders"
        timeout = hours(1)

    @classmethod
    def clean_input(cls, input: dict[str, Any]) -> dict[str, Any]:
        """`book` is a file, `rows` how many make a page."""
        return {"book": str(BOOK), "rows": 500, **input}

    @step
    def look(self) -> None:
        """Refuse what is no order book before the first order is made."""
        if not Path(self.input["book"]).is_file():
            raise Fatal(f"There is no order book {self.input['book']}.")
        self.context["imported"] = 0

    with loop(until="at_end") as importing:

        @step(atomic=True)
        def import_page(self) -> int:
            """The orders of a page, and how far the import is, in one transaction."""
            rows = self.input["rows"]
            page = read_page(self.context["imported"], rows, Path(self.input["book"]))
            add_orders(page)
            self.context.increment("imported", len(page))
            self.context["at_end"] = len(page) < rows
            self.logger.info("page %d: %d orders", self.iteration, len(page))
            return len(page)

    @step
    def count(self) -> dict[str, int]:
        return {"orders": self.context["imported"]}


class RouteInput(TypedDict, total=False):
    order: int
    card: str


class RouteOrder(Workflow):
    """Packs an order the way its kind asks for: as a gift, in boxes, or in an envelope."""

    input: RouteInput

    class Meta:
        name = "route_order"

    @step
    def kind(self) -> str:
        """What is packed how; `card` is the text that makes an order a gift."""
        order = Order.objects.get(pk=self.input["order"])
        self.context["copies"] = order.quantity
        if self.input.get("card"):
            return "gift"
        return "bulk" if order.quantity >= BULK_FROM else "small"

    with branch(on=kind) as pack:
        with pack.case("gift"):

            @step
            def wrap(self) -> None:
                self.context["paper"] = "red" if self.context["copies"] > 1 else "gold"

            @step
            def write_card(self) -> str:
                return f"{self.context['paper']} paper, with a card: {self.input['card']}"

        with pack.case("bulk"):

            @step
            def fill_boxes(self) -> str:
                boxes = -(-self.context["copies"] // BOX_COPIES)
                return "1 box" if boxes == 1 else f"{boxes} boxes"

        with pack.default():

            @step
            def fill_envelope(self) -> str:
                return "a padded envelope"

    @step
    def label(self) -> dict[str, Any]:
        """What a branch gives is what the last step of the way taken gave."""
        return {"kind": self.outputs["kind"], "packed": self.outputs["pack"]}
