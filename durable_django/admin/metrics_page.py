"""The page of the metrics: the figures that a monitoring system reads, for people.

They are sums over all runs, so that who sees only some of them does not see it; those of queues,
workers and schedules are for who may look at these. It only reads, and counts nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext

from .. import metrics
from ..showing.visible import visible
from ..store import clock
from . import moments
from .beside import BesideOverview
from .overview_links import Links

# What a metric of this name tells of, whose pages have a permission of their own.
APART: Final = {
    "durable_queue": "queue",
    "durable_worker": "worker",
    "durable_schedule": "schedule",
}
# The classes of a histogram are for machines; how many there were, and their sum, for people, too.
CLASSES: Final = "_bucket"


@dataclass(frozen=True)
class Row:
    """A number and what it is of: labels with their values; ``part`` says which of a histogram."""

    labels: list[tuple[str, str]]
    part: str
    value: float


@dataclass(frozen=True)
class MetricView:
    """A metric with its numbers, of what is counted only those that are not 0; ``only`` is the one
    that is of nothing in particular."""

    name: str
    help: str
    rows: list[Row]
    only: Row | None


class MetricsPage(BesideOverview):
    """The page ``metrics/``, beside the overview."""

    metrics_template = "admin/durable_django/overview/metrics.html"

    def metrics_urls(self) -> list[URLPattern]:
        """The address of the page."""
        return [self.url_beside("metrics", self.metrics_view)]

    def metrics_address(self, request: HttpRequest) -> str:
        """Where the page is; "" for who may not see it."""
        return self.address_beside(request, "metrics")

    def metrics_view(self, request: HttpRequest) -> HttpResponse:
        """All metrics that this person may see, as a table and as text."""
        if not self.metrics_address(request):
            raise PermissionDenied
        links = Links(self.admin_site, request)
        now = clock.now()
        found = [metric for metric in metrics.collect(now) if _is_open(metric, links)]
        return self.drawn_beside(
            request,
            self.metrics_template,
            gettext("Metrics"),
            metrics=list(_views(found)),
            text=visible(metrics.as_prometheus(found)),
            seen_at=now,
            seen=moments.ago(now, now),
        )


def _is_open(metric: metrics.Metric, links: Links) -> bool:
    """Whether this person may look at what it tells of."""
    models = (model for prefix, model in APART.items() if metric.name.startswith(prefix))
    return all(map(links.may, models))


def _views(found: list[metrics.Metric]) -> Iterator[MetricView]:
    for metric in found:
        rows = [_row(sample) for sample in metric.samples if sample.suffix != CLASSES]
        if not rows:
            continue
        if metric.kind != "gauge":  # there is one for each workflow and each way to end
            rows = [row for row in rows if row.value] or [Row([], "", 0)]
        is_plain = len(rows) == 1 and not rows[0].labels
        only = rows[0] if is_plain else None
        yield MetricView(metric.name, metric.help, [] if is_plain else rows, only)


def _row(sample: metrics.Sample) -> Row:
    labels = [(name, visible(value)) for name, value in sample.labels.items()]
    return Row(labels, sample.suffix, sample.value)
