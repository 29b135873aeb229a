"""The demo's scenario of the expenses; what the people in it do stands in playing.py."""

from collections.abc import Iterable

from example_project.scenario import Scenario
from example_project.shop.report import Batch

from . import report
from .people import make_people
from .playing import answer_inboxes, hand_in_sample
from .workflows import ApproveExpense


class Expenses(Scenario):
    name = "expenses"
    about = "claims: approved at once, by a manager, or by two; with reminders"
    by_hand = (
        "log in as emma (password emma) and add a claim; as maria, then as felicia for one over "
        "1,000 dollars, answer it under Pending inputs, with a comment"
    )
    workflows = (ApproveExpense,)
    timeline_title = "One claim that two had to agree to"

    def start(self) -> str:
        make_people()
        return f"{len(hand_in_sample()):,} claims handed in."

    def play(self) -> None:
        answer_inboxes()

    def summary(self, batch: Batch) -> Iterable[str]:
        return report.summary(batch)

    def timeline(self, batch: Batch) -> Iterable[str]:
        return report.timeline(batch)

    def mistakes(self, batch: Batch) -> Iterable[str]:
        return report.mistakes(batch)
