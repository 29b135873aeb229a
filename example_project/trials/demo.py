"""The demo's scenario of the trials; what the customers in it do stands in playing.py."""

from collections.abc import Iterable

from example_project.scenario import Scenario
from example_project.shop.report import Batch

from . import report
from .playing import begin_trials, join_who_likes_it
from .workflows import RemindOfTrial

TRIALS = 30


class Trials(Scenario):
    name = "trials"
    about = "a trial of two weeks: sleeps ten days, reminds on a business day, ends"
    by_hand = (
        "add a trial under Trials and watch its run sleep; the action there lets customers join"
    )
    workflows = (RemindOfTrial,)
    needs_orders = True
    timeline_title = "One trial, days apart"

    def start(self) -> str:
        return f"{len(begin_trials(TRIALS)):,} customers try the record club."

    def play(self) -> None:
        join_who_likes_it()

    def summary(self, batch: Batch) -> Iterable[str]:
        return report.summary(batch)

    def timeline(self, batch: Batch) -> Iterable[str]:
        return report.timeline(batch)

    def mistakes(self, batch: Batch) -> Iterable[str]:
        return report.mistakes(batch)
