"""The demo's scenario of the reports: a dashboard of what the other scenarios left."""

from collections.abc import Iterable

import durable_django as durable
from example_project.scenario import Scenario
from example_project.shop.report import Batch

from . import report
from .workflows import BuildDashboard


class Dashboard(Scenario):
    name = "dashboard"
    about = "figures gathered side by side, one of which cannot be had"
    by_hand = "look at the members of a run of build_dashboard"
    workflows = (BuildDashboard,)
    needs_orders = True

    def follow(self) -> str:
        durable.start(BuildDashboard)
        return "A dashboard is built."

    def summary(self, batch: Batch) -> Iterable[str]:
        return report.summary(batch)

    def mistakes(self, batch: Batch) -> Iterable[str]:
        return report.mistakes(batch)
