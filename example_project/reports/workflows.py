"""A dashboard of the shop: its figures are gathered at the same time, by whatever workers are free.

A figure that cannot be had is left out; the others are shown all the same.
"""

from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Count, Max, Sum

from durable_django import Cron, MemberFailure, Retry, Workflow, minutes, parallel, sequence, step
from example_project.shop.models import Customer, Order, Payment

from .models import Dashboard, Figure

EURO_BEGINS = date(1999, 1, 1)
CENT = Decimal("0.01")


class NoRate(Exception):
    """There is no rate of exchange for that day."""


def dollars_kept() -> Decimal:
    """What was charged and not returned."""
    charged = Payment.objects.filter(status=Payment.Status.CHARGED)
    return (charged.aggregate(total=Sum("amount"))["total"] or Decimal(0)).quantize(CENT)


class BuildDashboard(Workflow):
    """Revenue, best sellers, loyalty and the revenue in euros, of what the shop has now. It stands
    on the desk when the week begins."""

    class Meta:
        name = "build_dashboard"
        timeout = minutes(10)
        retry = Retry(max_attempts=2, base=0.2, never_on=NoRate)
        schedules = [Cron("0 6 * * MON", timezone="Europe/Berlin", name="weekly")]

    with parallel(on_error="collect") as gather:

        @step
        def revenue(self) -> Decimal:
            return dollars_kept()

        @step
        def best_sellers(self) -> list[str]:
            sent = Order.objects.filter(status=Order.Status.SENT).values("product__title")
            titles = sent.annotate(copies=Sum("quantity")).order_by("-copies", "product__title")
            return [f"{row['product__title']} ({row['copies']})" for row in titles[:3]]

        with sequence() as loyalty:

            @step
            def count_orders(self) -> list[int]:
                """How many customers ordered once, twice, …"""
                counts = Customer.objects.annotate(made=Count("orders")).filter(made__gt=0)
                return list(counts.order_by("pk").values_list("made", flat=True))

            @step
            def share_of_regulars(self) -> float:
                """What the last node of a sequence gives is what the sequence gives."""
                counts: list[int] = self.outputs["count_orders"]
                return round(sum(made > 1 for made in counts) / max(len(counts), 1), 3)

        @step
        def revenue_in_euros(self) -> Decimal:
            """Fails for the orders of the book: they are from 1997 and 1998."""
            last = Order.objects.aggregate(day=Max("ordered_on"))["day"]
            if last is None or last < EURO_BEGINS:
                raise NoRate(f"There is no rate for {last}: the euro begins on {EURO_BEGINS}.")
            # Members do not see each other, so this cannot read self.outputs["revenue"].
            return (dollars_kept() / Decimal("1.1789")).quantize(CENT)

    @step(atomic=True)
    def publish(self) -> dict[str, Any]:
        """One row for each figure, also for those that failed, which say why."""
        board = Dashboard.objects.create(run=self.execution_id)
        gathered: dict[str, Any] = self.outputs["gather"]
        for name, value in gathered.items():
            missing = isinstance(value, MemberFailure)
            Figure.objects.create(
                dashboard=board,
                name=name.replace("_", " "),
                value=value.message if missing else _shown(value),
                is_missing=missing,
            )
        failed = [name for name, value in gathered.items() if isinstance(value, MemberFailure)]
        return {"dashboard": board.pk, "figures": len(gathered), "missing": failed}


def _shown(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
