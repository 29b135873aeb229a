"""`manage.py shop_demo`: real orders and trips, one run each, worked off by a worker until all have
ended; then parcels, a newsletter and a dashboard.

Each time it begins afresh: shop and agency are emptied, runs that a demo before it left unfinished
are cancelled. It fails, loudly, when what it sees in the end does not add up.
"""

import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Iterable
from pathlib import Path
from subprocess import Popen
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

import durable_django as durable
from example_project.reports import report as dashboard_report
from example_project.reports.workflows import BuildDashboard
from example_project.trips import report as trips_report
from example_project.trips.models import Trip
from example_project.trips.timetable import fill_agency
from example_project.trips.workflows import BookTrip

from ... import report
from ...models import Order
from ...newsletter import SendNewsletter, send_newsletter
from ...order_book import BOOK, copy_book, empty_shop, stock_up
from ...worker import end_on_sigterm, worker
from ...workflows import ImportOrders, ProcessOrder, RefundPayment, RouteOrder

ALL = (
    *(ImportOrders, ProcessOrder, RefundPayment, RouteOrder, SendNewsletter),
    *(BookTrip, BuildDashboard),
)
PAGE_ROWS = 100
CARD_EVERY = 25
LOOK_SECONDS = 0.2
STANDSTILL_SECONDS_MAX = 120


def orders_or_all(text: str) -> int | None:
    """300 → 300, all → None."""
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is neither a number from 1 on nor 'all'")
    return int(text)


class Command(BaseCommand):
    help = "Imports the orders, starts one run for each, and runs a worker until all have ended."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--orders", type=orders_or_all, default=300, help="a number, or: all")
        parser.add_argument("--trips", type=int, default=60, help="how many trips are booked")

    def handle(self, *, orders: int | None, trips: int = 60, **options: Any) -> None:
        begun = time.monotonic()
        end_on_sigterm()
        self._cancel_leftovers()
        batch = self._start_import(orders)
        with worker(self._log) as running:
            self._watch(batch, running)
            stock_before = self._start_orders_and_trips(trips)
            self._watch(batch, running)
            self._start_what_follows()
            self._watch(batch, running)
        self.stdout.write(f"\nAfter {time.monotonic() - begun:.1f} seconds:\n\n")
        self._print(report.summary(batch, stock_before))
        self.stdout.write("")
        self._print(trips_report.summary(batch))
        self.stdout.write("")
        self._print(dashboard_report.summary(batch))
        self.stdout.write("\nOne order, attempt by attempt:\n\n")
        self._print(report.timeline(batch))
        self.stdout.write("\nOne trip that was undone, newest visit first:\n\n")
        self._print(trips_report.timeline(batch))
        self._add_up(batch, self._rows(orders), stock_before)

    def _add_up(self, batch: report.Batch, orders: int, stock_before: int) -> None:
        mistakes = [
            *report.mistakes(batch, orders, stock_before),
            *trips_report.mistakes(batch),
            *dashboard_report.mistakes(batch),
        ]
        if mistakes:
            raise CommandError("This does not add up: " + "; ".join(mistakes))
        self.stdout.write(
            f"\nAll of it adds up. The mails are in {settings.VAR}/mail.\n"
            "To look at the runs in the admin: make admin\n"
        )

    @property
    def _log(self) -> Path:
        return Path(settings.VAR) / "worker.log"

    def _rows(self, orders: int | None) -> int:
        """How many orders the book has of which so many are imported."""
        with BOOK.open(encoding="utf-8") as book:
            in_book = sum(1 for _ in book) - 1
        return in_book if orders is None else min(orders, in_book)

    def _cancel_leftovers(self) -> None:
        # Those that are being compensated end by themselves; nothing can cancel a rollback.
        over = (*report.FINAL, "compensating")
        for workflow in ALL:
            runs = durable.list_executions(workflow=workflow).exclude(status__in=over)
            for run_id in list(runs.values_list("id", flat=True)):
                durable.cancel(run_id, reason="A new demo begins.")

    def _start_import(self, orders: int | None) -> report.Batch:
        book = Path(settings.VAR) / "orders.csv"
        copy_book(orders, book)
        with transaction.atomic():
            empty_shop()
            run = durable.start(ImportOrders, {"book": str(book), "rows": PAGE_ROWS})
        self.stdout.write(f"{self._rows(orders):,} orders are imported, page by page.\n")
        return report.Batch(first=run.pk)

    def _start_orders_and_trips(self, count: int) -> int:
        """Orders and their runs in one transaction, trips and theirs in another; how many copies
        are in stock."""
        with transaction.atomic():
            orders = list(Order.objects.all())
            stock = stock_up()
            ids = durable.start_many(ProcessOrder, [{"order": order.pk} for order in orders])
            for order, run in zip(orders, ids, strict=True):
                order.run = run
            Order.objects.bulk_update(orders, ["run"], batch_size=500)
        with transaction.atomic():
            trips = fill_agency(count)
            ids = durable.start_many(BookTrip, [{"trip": trip.pk} for trip in trips])
            for trip, run in zip(trips, ids, strict=True):
                trip.run = run
            Trip.objects.bulk_update(trips, ["run"])
        self.stdout.write(
            f"{len(orders):,} runs of process_order and {len(trips):,} of book_trip started.\n"
        )
        return stock

    def _start_what_follows(self) -> None:
        """The parcels of the orders that are sent, a newsletter, a dashboard."""
        sent = Order.objects.filter(status=Order.Status.SENT).order_by("number")
        durable.start_many(
            RouteOrder,
            [
                {"order": pk, **({"card": "With love"} if index % CARD_EVERY == 0 else {})}
                for index, pk in enumerate(sent.values_list("pk", flat=True))
            ],
        )
        send_newsletter("New this week", "Six strings, one evening: the guitar record of the year.")
        durable.start(BuildDashboard)
        self.stdout.write("Parcels are packed, a newsletter goes out, a dashboard is built.\n")

    def _watch(self, batch: report.Batch, running: "Popen[bytes]") -> None:
        """Show how far the worker is until every run has ended."""
        seen, seen_at = -1, time.monotonic()
        while True:
            ended, total = batch.progress()
            if ended != seen:
                seen, seen_at = ended, time.monotonic()
                self._show(report.bar(ended, total), last=ended == total)
            if ended == total:
                return
            if running.poll() is not None:
                raise CommandError(f"The worker ended early:\n{self._log.read_text()[-4000:]}")
            if time.monotonic() - seen_at > STANDSTILL_SECONDS_MAX:
                raise CommandError(f"Nothing moves any more:\n{self._log.read_text()[-4000:]}")
            time.sleep(LOOK_SECONDS)

    def _show(self, line: str, last: bool) -> None:
        if sys.stdout.isatty():
            self.stdout.write(f"\r{line}", ending="\n" if last else "")
            self.stdout.flush()
        elif last:
            self.stdout.write(line)

    def _print(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.stdout.write(line)
