"""What the demo prints about its runs, read back from the database.

It only reads, and through the same doors as any project: `durable_django.list_executions`, the
models, and the shop's own tables.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db.models import Count, QuerySet, Sum

import durable_django as durable
from durable_django.models import Execution, StepRun

from .models import Order, Payment, Product

FINAL = ("completed", "failed", "cancelled", "compensated", "compensation_failed")
BAR_WIDTH = 40


@dataclass(frozen=True)
class Batch:
    """The runs of one demo: the orders' and, started by them, the refunds'."""

    # Ids are UUIDv7, so they sort by time: the batch is everything from its first run on.
    first: UUID

    def runs(self, workflow: str) -> QuerySet[Execution]:
        return durable.list_executions(workflow=workflow).filter(id__gte=self.first)

    def counts(self, workflow: str) -> Counter[str]:
        """How many runs of the workflow have which status."""
        rows = self.runs(workflow).order_by().values_list("status").annotate(Count("id"))
        return Counter(dict(rows))

    def progress(self) -> tuple[int, int]:
        """How many runs have ended, of how many so far."""
        counts = self.counts("process_order") + self.counts("refund_payment")
        return sum(counts[status] for status in FINAL), counts.total()


def bar(ended: int, total: int) -> str:
    filled = BAR_WIDTH * ended // max(total, 1)
    return f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {ended} of {total} runs ended"


def summary(batch: Batch, stock_before: int) -> Iterator[str]:
    """The table of what became of the batch, line by line."""
    for workflow in ("process_order", "refund_payment"):
        for status, count in sorted(batch.counts(workflow).items()):
            yield f"  {workflow:<16}{status:<12}{count:>7,}{_reasons(batch, workflow, status)}"
    steps = StepRun.objects.filter(execution_id__gte=batch.first)
    again = steps.filter(attempt__gt=1).count()
    yield f"  steps run       {steps.count():>19,}  of them again: {again:,}"
    yield ""
    for status, count in Order.objects.order_by().values_list("status").annotate(Count("pk")):
        yield f"  orders          {status:<12}{count:>7,}"
    out = ", ".join(Product.objects.filter(stock__lt=2).values_list("sku", flat=True)) or "-"
    yield f"  copies left     {_copies_left():>19,}  of {stock_before:,}; sold out: {out}"
    yield f"  dollars charged {_dollars():>19,.2f}  in {Payment.objects.count():,} payments"
    yield f"  dollars returned{_dollars(Payment.Status.REFUNDED):>19,.2f}"


def mistakes(batch: Batch, stock_before: int) -> Iterator[str]:
    """What must never be seen: runs that did not end, copies or dollars that do not add up."""
    ended, total = batch.progress()
    if ended != total:
        yield f"{total - ended} runs have not ended"
    taken = Order.objects.filter(status__in=[Order.Status.RESERVED, Order.Status.SENT])
    copies_taken = taken.aggregate(total=Sum("quantity"))["total"] or 0
    if copies_taken + _copies_left() != stock_before:
        yield f"{copies_taken} copies taken and {_copies_left()} left are not {stock_before}"
    paid_twice = Order.objects.annotate(paid=Count("payments")).filter(paid__gt=1).count()
    if paid_twice:
        yield f"{paid_twice} orders were paid twice"
    refunded = Payment.objects.filter(status=Payment.Status.REFUNDED).count()
    if refunded != Order.objects.filter(status=Order.Status.RETURNED).count():
        yield f"{refunded} payments were refunded, which is not as many as orders came back"


def timeline(batch: Batch) -> Iterator[str]:
    """The attempts of one run, line by line; of one that had to try again, if there is any."""
    order = (
        Order.objects.filter(status=Order.Status.SENT, run__isnull=False)
        .order_by("-payments__requests", "number")
        .first()
    )
    run = (
        durable.get_execution(order.run) if order and order.run else batch.runs("process_order")[0]
    )
    yield f"  {run.id}  {run.workflow_name}, {order or 'the last order'}: {run.status}"
    yield f"  {'start':>9}  {'took':>9}  {'step':<20}{'attempt':>7}  {'status':<10}  first word"
    for attempt in run.steps.order_by("id"):
        begun, ended = attempt.started_at, attempt.finished_at
        offset = (begun - run.created_at).total_seconds()
        took = (ended - begun).total_seconds() if ended else 0
        yield (
            f"  {offset:>8.3f}s  {took:>8.3f}s  {attempt.name:<20}{attempt.attempt:>7}"
            f"  {attempt.status:<10}  {_first_word(attempt)}"
        )


def _reasons(batch: Batch, workflow: str, status: str) -> str:
    if status != "failed":
        return ""
    kinds = Counter(
        (run.error or {}).get("type", "?") for run in batch.runs(workflow).filter(status=status)
    )
    return "  " + ", ".join(
        f"{kind.rpartition('.')[2]} {count:,}" for kind, count in kinds.most_common()
    )


def _first_word(attempt: StepRun) -> str:
    """The first line of an attempt's log, or of its error."""
    if attempt.error:
        return str(attempt.error.get("message", "")).partition("\n")[0]
    return str(attempt.logs[0]["message"]).partition("\n")[0] if attempt.logs else ""


def _copies_left() -> int:
    return Product.objects.aggregate(total=Sum("stock"))["total"] or 0


def _dollars(status: str | None = None) -> Decimal:
    payments = Payment.objects.filter(status=status) if status else Payment.objects.all()
    return payments.aggregate(total=Sum("amount"))["total"] or Decimal("0.00")
