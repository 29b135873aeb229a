"""What the demo prints about its dashboard, and whether that is what the shop's tables say. It only
reads.
"""

from collections.abc import Iterator

from example_project.shop.models import Payment
from example_project.shop.report import Batch

from .models import Dashboard, Figure


def summary(batch: Batch) -> Iterator[str]:
    """The figures of the batch's dashboard, line by line."""
    yield from batch.lines("build_dashboard")
    for figure in _figures(batch):
        yield f"    {figure.name:<20}{'missing: ' if figure.is_missing else ''}{figure.value}"


def mistakes(batch: Batch) -> Iterator[str]:
    """What must never be seen: another figure missing than the one in euros, or a wrong one."""
    figures = {figure.name: figure for figure in _figures(batch)}
    missing = [name for name, figure in figures.items() if figure.is_missing]
    if missing != ["revenue in euros"]:
        yield f"of the figures {', '.join(figures) or '-'} these are missing: {missing}"
    payments = Payment.objects.filter(status=Payment.Status.CHARGED)
    dollars = f"{sum(payments.values_list('amount', flat=True)):.2f}"
    if "revenue" in figures and figures["revenue"].value != dollars:
        yield f"the dashboard says {figures['revenue'].value} dollars, the payments {dollars}"


def _figures(batch: Batch) -> list[Figure]:
    run = batch.runs("build_dashboard").first()
    board = Dashboard.objects.filter(run=run.pk).first() if run else None
    return list(board.figures.all()) if board else []
