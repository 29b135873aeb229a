"""Facts to judge: those of a run that is served, and what is said of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from durable_django.why import Facts, Reason, reasons
from durable_django.why.facts import Act, Holder, QueueFacts, WaitFacts

NOW = datetime(2030, 1, 31, 10, tzinfo=UTC)
SOON = NOW + timedelta(minutes=5)
BEFORE = NOW - timedelta(minutes=5)
SERVED = QueueFacts(name="mail", served_by=("host:1",), alive=1)
LIVING = Holder(name="host:1", status="alive", heartbeat_at=NOW - timedelta(seconds=3))
ADA = Act(by="ada", reason="provider down", at=BEFORE)


def told(status: str, **facts: Any) -> list[Reason]:
    given = {"now": NOW, "workflow": "shop.Order", "version": 2, "queue": SERVED, **facts}
    return reasons(Facts(status=status, **given))


def codes(status: str, **facts: Any) -> list[str]:
    return [reason.code for reason in told(status, **facts)]


def only(status: str, **facts: Any) -> Reason:
    (reason,) = told(status, **facts)
    return reason


def event(**fields: Any) -> WaitFacts:
    return WaitFacts(**{"id": 7, "kind": "event", "node": "paid", "name": "payment", **fields})
