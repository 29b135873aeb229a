"""Figures: how much runs, waits, fails and how long it takes, for pages, the terminal, metrics.

Pure reading, at a cost that does not grow with the table: by index and up to a limit, or from the
tallies. Nothing here is for deciding about a run.
"""

from .counts import COUNTED_MAX, Capped, all_runs, count_capped, count_statuses
from .failures import Failing, what_fails
from .fleet import Fleet, QueueFigures, WorkerFigures, fleet
from .schedules import ScheduleState, due_next, state_of
from .schedules import troubled as troubled_schedules
from .throughput import PERIODS, Bar, Pace, Period, Throughput, paces, throughput

__all__ = [
    "COUNTED_MAX",
    "PERIODS",
    "Bar",
    "Capped",
    "Failing",
    "Fleet",
    "Pace",
    "Period",
    "QueueFigures",
    "ScheduleState",
    "Throughput",
    "WorkerFigures",
    "all_runs",
    "count_capped",
    "count_statuses",
    "due_next",
    "fleet",
    "paces",
    "state_of",
    "throughput",
    "troubled_schedules",
    "what_fails",
]
