"""What the demo prints about the trials, and whether that adds up. It only reads."""

from collections.abc import Iterator

from django.db.models import Count

import durable_django as durable
from example_project.shop.report import Batch, attempts_of

from .models import Trial
from .playing import AT_ONCE_FROM, REMINDED_FROM


def summary(batch: Batch) -> Iterator[str]:
    """The table of what became of the trials, line by line."""
    yield from batch.lines("remind_of_trial")
    rows = Trial.objects.order_by("status", "was_reminded").values_list("status", "was_reminded")
    for status, was_reminded, count in rows.annotate(Count("pk")):
        when = "after a reminder" if was_reminded else "without a reminder"
        yield f"  trials          {status:<20}{count:>7,}  {when}"


def mistakes(batch: Batch) -> Iterator[str]:
    """What must never be seen: somebody who joined reminded or ended, or a run that says
    otherwise."""
    for trial in Trial.objects.annotate(ordered=Count("customer__orders")):
        joins = trial.ordered >= REMINDED_FROM
        if trial.status != (Trial.Status.JOINED if joins else Trial.Status.ENDED):
            yield f"the {trial} is {trial.status} after {trial.ordered} orders"
        if trial.was_reminded != (trial.ordered < AT_ONCE_FROM):
            yield f"the {trial} was {'' if trial.was_reminded else 'not '}reminded"
        run = durable.get_execution(trial.run) if trial.run else None
        if run is None or run.result != trial.status:
            yield f"the run of the {trial} ended with {run.result if run else None}"


def timeline(batch: Batch) -> Iterator[str]:
    """The attempts of one trial that ended, line by line."""
    trial = Trial.objects.filter(run__isnull=False).order_by("status", "pk").first()
    if trial is not None and trial.run is not None:
        yield from attempts_of(durable.get_execution(trial.run), str(trial))
