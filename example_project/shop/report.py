"""What the demo prints about the shop's runs, read back from the database.

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

from .models import Customer, Letter, Order, Payment, Product
from .newsletter import refuses_mail
from .order_book import stock_at_first

FINAL = ("completed", "failed", "cancelled", "compensated", "compensation_failed")
BAR_WIDTH = 40


@dataclass(frozen=True)
class Batch:
    """The runs of one demo, those included that were started by others."""

    # Ids are UUIDv7, so they sort by time: the batch is everything after what was there before.
    after: UUID

    @classmethod
    def begin(cls) -> "Batch":
        """The batch of what is started from now on."""
        newest = durable.list_executions().values_list("id", flat=True).first()
        return cls(after=newest or UUID(int=0))

    def runs(self, workflow: str | None = None) -> QuerySet[Execution]:
        return durable.list_executions(workflow=workflow).filter(id__gt=self.after)

    def counts(self, workflow: str | None = None) -> Counter[str]:
        """How many runs of the workflow have which status."""
        rows = self.runs(workflow).order_by().values_list("status").annotate(Count("id"))
        return Counter(dict(rows))

    def lines(self, workflow: str) -> Iterator[str]:
        """A line for each status that runs of the workflow have, with the errors of those that
        failed."""
        for status, count in sorted(self.counts(workflow).items()):
            yield f"  {workflow:<16}{status:<20}{count:>7,}{_reasons(self, workflow, status)}"

    def progress(self) -> tuple[int, int]:
        """How many runs have ended, of how many so far."""
        counts = self.counts()
        return sum(counts[status] for status in FINAL), counts.total()


def bar(ended: int, total: int) -> str:
    filled = BAR_WIDTH * ended // max(total, 1)
    return f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {ended} of {total} runs ended"


def summary(batch: Batch) -> Iterator[str]:
    """The table of what became of the orders and the newsletter, line by line."""
    for workflow in ("import_orders", "process_order", "refund_payment", "route_order"):
        yield from batch.lines(workflow)
    yield from batch.lines("send_newsletter")
    steps = StepRun.objects.filter(execution_id__gt=batch.after)
    again = steps.filter(attempt__gt=1).count()
    yield f"  steps run           {steps.count():>23,}  of them again: {again:,}"
    yield ""
    orders = Order.objects.order_by("status").values_list("status")
    for status, count in orders.annotate(Count("pk")):
        yield f"  orders          {status:<20}{count:>7,}"
    out = ", ".join(Product.objects.filter(stock__lt=2).values_list("sku", flat=True)) or "-"
    yield f"  copies left         {_copies_left():>23,}  of {_stock_before():,}; sold out: {out}"
    yield f"  dollars charged     {_dollars():>23,.2f}  in {Payment.objects.count():,} payments"
    yield f"  dollars returned    {_dollars(Payment.Status.REFUNDED):>23,.2f}"
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(_packed(batch).items())) or "-"
    yield f"  parcels packed      {_packed(batch).total():>23,}  {kinds}"
    news = _newsletter(batch)
    yield (
        f"  newsletters sent    {Letter.objects.count():>23,}  to {Customer.objects.count():,} "
        f"customers; refused: {news.get('refused', '?')}"
    )


def mistakes(batch: Batch, orders: int) -> Iterator[str]:
    """What must never be seen: copies, dollars or letters that do not add up. `orders` is how many
    the book has."""
    if Order.objects.count() != orders:
        yield f"{Order.objects.count()} orders were imported of {orders}"
    taken = Order.objects.filter(status__in=[Order.Status.RESERVED, Order.Status.SENT])
    copies_taken = taken.aggregate(total=Sum("quantity"))["total"] or 0
    if copies_taken + _copies_left() != _stock_before():
        yield f"{copies_taken} copies taken and {_copies_left()} left are not {_stock_before()}"
    paid_twice = Order.objects.annotate(paid=Count("payments")).filter(paid__gt=1).count()
    if paid_twice:
        yield f"{paid_twice} orders were paid twice"
    refunded = Payment.objects.filter(status=Payment.Status.REFUNDED).count()
    if refunded != Order.objects.filter(status=Order.Status.RETURNED).count():
        yield f"{refunded} payments were refunded, which is not as many as orders came back"
    sent = Order.objects.filter(status=Order.Status.SENT).count()
    if _packed(batch).total() != sent:
        yield f"{_packed(batch).total()} parcels were packed for {sent} orders"
    yield from _mistakes_of_newsletter(batch)


def _mistakes_of_newsletter(batch: Batch) -> Iterator[str]:
    """Letters sent are customers without those whose address is refused, each of them once."""
    numbers = list(Customer.objects.values_list("number", flat=True))
    refused = sum(refuses_mail(number) for number in numbers)
    wanted = {"sent": len(numbers) - refused, "refused": refused}
    if _newsletter(batch) != wanted:
        yield f"the newsletter counts {_newsletter(batch)}, not {wanted}"
    if Letter.objects.count() != wanted["sent"]:
        yield f"{Letter.objects.count()} letters were sent, not {wanted['sent']}"


def timeline(batch: Batch) -> Iterator[str]:
    """The attempts of one order's run, line by line; of one that had to try again, if any."""
    order = (
        Order.objects.filter(status=Order.Status.SENT, run__isnull=False)
        .order_by("-payments__requests", "number")
        .first()
    )
    found = order.run if order and order.run else batch.runs("process_order")[0].pk
    yield from attempts_of(durable.get_execution(found), str(order or "the last order"))


def attempts_of(run: Execution, title: str) -> Iterator[str]:
    """The attempts of a run, line by line, each under its path."""
    attempts = list(run.steps)
    width = max((len(attempt.path) for attempt in attempts), default=0)
    yield f"  {run.id}  {run.workflow_name}, {title}: {run.status}"
    yield f"  {'start':>9}  {'took':>9}  {'step':<{width}}  attempt  {'status':<10}  first word"
    for attempt in attempts:
        begun, ended = attempt.started_at, attempt.finished_at
        offset = (begun - run.created_at).total_seconds()
        took = (ended - begun).total_seconds() if ended else 0
        yield (
            f"  {offset:>8.3f}s  {took:>8.3f}s  {attempt.path:<{width}}{attempt.attempt:>9}"
            f"  {attempt.status:<10}  {_first_word(attempt)}".rstrip()
        )


def _reasons(batch: Batch, workflow: str, status: str) -> str:
    errors = (run.error for run in batch.runs(workflow).filter(status=status))
    kinds = Counter(error["type"] for error in errors if error)
    told = ", ".join(f"{kind.rpartition('.')[2]} {count:,}" for kind, count in kinds.most_common())
    return f"  {told}" if told else ""


def _first_word(attempt: StepRun) -> str:
    """The first line of an attempt's log, or of its error."""
    if attempt.error:
        return str(attempt.error.get("message", "")).partition("\n")[0]
    return str(attempt.logs[0]["message"]).partition("\n")[0] if attempt.logs else ""


def _packed(batch: Batch) -> Counter[str]:
    """How many parcels were packed in which way."""
    routed = batch.runs("route_order").filter(status="completed")
    return Counter(run.result["kind"] for run in routed)


def _newsletter(batch: Batch) -> dict[str, int]:
    """What the run of the newsletter counted; {} if it did not get so far."""
    run = batch.runs("send_newsletter").first()
    return (run.result if run else None) or {}


def _stock_before() -> int:
    return sum(stock_at_first().values())


def _copies_left() -> int:
    return Product.objects.aggregate(total=Sum("stock"))["total"] or 0


def _dollars(status: str | None = None) -> Decimal:
    payments = Payment.objects.filter(status=status) if status else Payment.objects.all()
    return payments.aggregate(total=Sum("amount"))["total"] or Decimal("0.00")
