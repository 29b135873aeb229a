"""`manage.py shop_demo`: the scenarios of this project on real input, worked off by a worker until
all runs have ended, while the demo plays the people and the systems outside.

Each time it begins afresh: shop, agency and claims are emptied, runs that a demo before it left
unfinished are cancelled. It fails, loudly, when what it sees in the end does not add up. A day
lasts a second here, for nobody waits two weeks for a demo; everything else is as it always is.
"""

import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from subprocess import Popen
from textwrap import wrap
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

import durable_django as durable
from example_project.expenses.demo import Expenses
from example_project.reports.demo import Dashboard
from example_project.scenario import Scenario
from example_project.trials.demo import Trials
from example_project.trips.demo import Trips

from ... import report
from ...demo import Invoices, Orders
from ...order_book import BOOK, copy_book, empty_shop, stock_up
from ...worker import end_on_sigterm, worker
from ...workflows import ImportOrders

SCENARIOS = (Orders, Invoices, Trips, Expenses, Trials, Dashboard)
PAGE_ROWS = 100
LOOK_SECONDS = 0.2
STANDSTILL_SECONDS_MAX = 120
SECONDS_A_DAY = 1.0


def orders_or_all(text: str) -> int | None:
    """300 → 300, all → None."""
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is neither a number from 1 on nor 'all'")
    return int(text)


def menu() -> Iterator[str]:
    """The scenarios by name, each with what it shows."""
    for scenario in SCENARIOS:
        yield f"  {scenario.name:<11}{scenario.about}"


def by_hand() -> Iterator[str]:
    """The scenarios by name, each with what one can do oneself."""
    for scenario in SCENARIOS:
        told = wrap(scenario.by_hand, width=84)
        yield from (f"  {scenario.name if not n else '':<11}{line}" for n, line in enumerate(told))


class Command(BaseCommand):
    help = "Plays scenarios on real input, with a worker, until all their runs have ended."

    def add_arguments(self, parser: CommandParser) -> None:
        names = [scenario.name for scenario in SCENARIOS]
        parser.add_argument("--orders", type=orders_or_all, default=300, help="a number, or: all")
        parser.add_argument("--trips", type=int, default=60, help="how many trips are booked")
        parser.add_argument(
            "--only", nargs="*", choices=names, default=[], help="these scenarios, and no others"
        )

    def handle(
        self, *, orders: int | None, trips: int = 60, only: Sequence[str] = (), **options: Any
    ) -> None:
        begun = time.monotonic()
        end_on_sigterm()
        self._cancel_leftovers()
        every = [Orders(_rows(orders)), Invoices(), Trips(trips), Expenses(), Trials(), Dashboard()]
        chosen = [scenario for scenario in every if not only or scenario.name in only]
        batch = report.Batch.begin()
        with worker(self._log, SECONDS_A_DAY=str(SECONDS_A_DAY)) as running:
            if any(scenario.needs_orders for scenario in chosen):
                self._import(orders)
                self._watch(batch, running, ())
                stock_up()
            if self._say(scenario.start() for scenario in chosen):
                self._watch(batch, running, chosen)
            if self._say(scenario.follow() for scenario in chosen):
                self._watch(batch, running, chosen)
        self.stdout.write(f"\nAfter {time.monotonic() - begun:.1f} seconds:\n")
        self._tell(chosen, batch)
        self._add_up(chosen, batch)

    def _tell(self, chosen: Sequence[Scenario], batch: report.Batch) -> None:
        for scenario in chosen:
            self._print("", *scenario.summary(batch))
        for scenario in chosen:
            lines = list(scenario.timeline(batch))
            if lines:
                self._print("", f"{scenario.timeline_title}, attempt by attempt:", "", *lines)

    def _add_up(self, chosen: Sequence[Scenario], batch: report.Batch) -> None:
        mistakes = [mistake for scenario in chosen for mistake in scenario.mistakes(batch)]
        if mistakes:
            raise CommandError("This does not add up: " + "; ".join(mistakes))
        self._print(
            "",
            f"All of it adds up. The mails are in {settings.VAR}/mail.",
            "",
            "The scenarios (one of them alone: make demo ONLY=expenses):",
            "",
            *menu(),
            "",
            "Try them yourself (make admin, then log in as admin, password admin, or as told):",
            "",
            *by_hand(),
        )

    @property
    def _log(self) -> Path:
        return Path(settings.VAR) / "worker.log"

    def _cancel_leftovers(self) -> None:
        # Those that are being compensated end by themselves; nothing can cancel a rollback.
        over = (*report.FINAL, "compensating")
        for workflow in {workflow for scenario in SCENARIOS for workflow in scenario.workflows}:
            runs = durable.list_executions(workflow=workflow).exclude(status__in=over)
            for run_id in list(runs.values_list("id", flat=True)):
                try:
                    durable.cancel(run_id, reason="A new demo begins.")
                except durable.InvalidState:
                    pass  # It has ended by itself meanwhile.

    def _import(self, orders: int | None) -> None:
        book = Path(settings.VAR) / "orders.csv"
        copy_book(orders, book)
        with transaction.atomic():
            empty_shop()
            durable.start(ImportOrders, {"book": str(book), "rows": PAGE_ROWS})
        self._print(f"{_rows(orders):,} orders are imported, page by page.")

    def _watch(
        self, batch: report.Batch, running: "Popen[bytes]", playing: Sequence[Scenario]
    ) -> None:
        """Show how far the worker is until every run has ended; meanwhile the outside plays."""
        seen, seen_at = -1, time.monotonic()
        while True:
            for scenario in playing:
                scenario.play()
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

    def _say(self, lines: Iterable[str]) -> bool:
        """Prints what was started; whether anything was."""
        said = " ".join(line for line in lines if line)
        if said:
            self._print(said)
        return bool(said)

    def _print(self, *lines: str) -> None:
        for line in lines:
            self.stdout.write(line)


def _rows(orders: int | None) -> int:
    """How many orders the book has of which so many are imported."""
    with BOOK.open(encoding="utf-8") as book:
        in_book = sum(1 for _ in book) - 1
    return in_book if orders is None else min(orders, in_book)
