"""The shop that the documentation's examples import as ``shop``: the example project's models, and
outside services that answer at once and remember what they were asked.
"""

import sys
from decimal import Decimal
from types import ModuleType

import pytest

from durable_django import Retry, Workflow, step
from example_project.shop import models

charged: dict[str, object] = {}


def charge(order_id: object, total: Decimal | float, *, key: str) -> str:
    """Takes the money once for each key; the id of the charge."""
    return str(charged.setdefault(key, f"ch_{len(charged) + 1}"))


def refund(charge_id: str) -> None:
    """Gives the money back."""


class RateLimited(Exception):
    """Asked too often; try again after so many seconds."""

    retry_after = 30


class CardDeclined(Exception):
    """The bank said no."""


def import_as_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets ``from shop import payments`` and ``from shop.models import Order`` find these."""
    shop = ModuleType("shop")
    shop.models = models  # type: ignore[attr-defined]
    shop.payments = sys.modules[__name__]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "shop", shop)
    monkeypatch.setitem(sys.modules, "shop.models", models)
    monkeypatch.setitem(sys.modules, "shop.payments", sys.modules[__name__])
    charged.clear()


def make_process_order() -> type[Workflow]:
    """The workflow that docstrings call ProcessOrder."""

    class ProcessOrder(Workflow):
        class Meta:
            name = "process_order"

        @step
        def validate(self) -> None:
            order = self.input["order"]
            self.context["order_id"] = order["id"]
            self.context["total"] = sum(item["price"] for item in order["items"])

        @step(retry=Retry(max_attempts=3))
        def charge_payment(self) -> None:
            self.context["charge_id"] = charge(
                self.context["order_id"], self.context["total"], key=self.idempotency_key
            )

    return ProcessOrder
