"""The demo's scenario of the trips."""

from collections.abc import Iterable

from django.db import transaction

import durable_django as durable
from example_project.scenario import Scenario
from example_project.shop.report import Batch

from . import report
from .models import Trip
from .timetable import fill_agency
from .workflows import BookTrip


class Trips(Scenario):
    name = "trips"
    about = "sagas: flights, hotels and cars, given back newest first when one is missing"
    by_hand = "look at a run of book_trip that was compensated"
    workflows = (BookTrip,)
    timeline_title = "One trip that was undone, newest visit first"

    def __init__(self, count: int) -> None:
        self._count = count

    def start(self) -> str:
        """Trips and their runs, in one transaction."""
        with transaction.atomic():
            trips = fill_agency(self._count)
            ids = durable.start_many(BookTrip, [{"trip": trip.pk} for trip in trips])
            for trip, run in zip(trips, ids, strict=True):
                trip.run = run
            Trip.objects.bulk_update(trips, ["run"])
        return f"{len(trips):,} runs of book_trip started."

    def summary(self, batch: Batch) -> Iterable[str]:
        return report.summary(batch)

    def timeline(self, batch: Batch) -> Iterable[str]:
        return report.timeline(batch)

    def mistakes(self, batch: Batch) -> Iterable[str]:
        return report.mistakes(batch)
