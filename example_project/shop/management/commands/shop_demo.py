"""`manage.py shop_demo`: real orders, one run each, worked off by a worker until all have ended.

Each time it begins afresh: the shop is emptied, runs that a demo before it left unfinished are
cancelled. It fails, loudly, when what it sees in the end does not add up.
"""

import sys
import time
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

import durable_django as durable

from ... import report
from ...models import Order, Product
from ...order_book import fill_shop
from ...worker import end_on_sigterm, worker
from ...workflows import ProcessOrder, RefundPayment

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

    def handle(self, *, orders: int | None, **options: Any) -> None:
        begun = time.monotonic()
        self._cancel_leftovers()
        batch, stock_before = self._start(orders)
        self._watch(batch)
        self.stdout.write(f"\nAfter {time.monotonic() - begun:.1f} seconds:\n\n")
        self._print(report.summary(batch, stock_before))
        self.stdout.write("\nOne run, attempt by attempt:\n\n")
        self._print(report.timeline(batch))
        if mistakes := list(report.mistakes(batch, stock_before)):
            raise CommandError("This does not add up: " + "; ".join(mistakes))
        self.stdout.write(
            f"\nThe mails are in {settings.EMAIL_FILE_PATH}.\n"
            "To look at the runs in the admin: make admin\n"
        )

    def _cancel_leftovers(self) -> None:
        for workflow in (ProcessOrder, RefundPayment):
            runs = durable.list_executions(workflow=workflow).exclude(status__in=report.FINAL)
            for run_id in list(runs.values_list("id", flat=True)):
                durable.cancel(run_id, reason="A new demo begins.")

    def _start(self, limit: int | None) -> tuple[report.Batch, int]:
        """Orders and their runs in one transaction: no order without a run, no run without one."""
        with transaction.atomic():
            orders = fill_shop(limit)
            stock = sum(Product.objects.values_list("stock", flat=True))
            ids = durable.start_many(ProcessOrder, [{"order": order.pk} for order in orders])
            for order, run in zip(orders, ids, strict=True):
                order.run = run
            Order.objects.bulk_update(orders, ["run"], batch_size=500)
        self.stdout.write(
            f"{len(orders):,} orders imported, as many runs of process_order started.\n"
        )
        return report.Batch(first=min(ids)), stock

    def _watch(self, batch: report.Batch) -> None:
        """Run a worker, and show how far it is, until every run has ended."""
        end_on_sigterm()
        log = Path(settings.VAR) / "worker.log"
        seen, seen_at = -1, time.monotonic()
        with worker(log) as running:
            while True:
                ended, total = batch.progress()
                if ended != seen:
                    seen, seen_at = ended, time.monotonic()
                    self._show(report.bar(ended, total), last=ended == total)
                if ended == total:
                    return
                if running.poll() is not None:
                    raise CommandError(f"The worker ended early:\n{log.read_text()[-4000:]}")
                if time.monotonic() - seen_at > STANDSTILL_SECONDS_MAX:
                    raise CommandError(f"Nothing moves any more:\n{log.read_text()[-4000:]}")
                time.sleep(LOOK_SECONDS)

    def _show(self, line: str, last: bool) -> None:
        if sys.stdout.isatty():
            self.stdout.write(f"\r{line}", ending="\n" if last else "")
            self.stdout.flush()
        elif last:
            self.stdout.write(line)

    def _print(self, lines: Any) -> None:
        for line in lines:
            self.stdout.write(line)
