"""Reads the timetable, data/flights.csv, and makes trips of it: real flights of a day of snow."""

import csv
from datetime import time
from pathlib import Path

from django.db import transaction

from .models import Reservation, Trip

TIMETABLE = Path(__file__).parent / "data" / "flights.csv"


def read_trips() -> list[Trip]:
    """A trip for each flight, by departure; not saved."""
    with TIMETABLE.open(newline="", encoding="utf-8") as lines:
        return [
            Trip(
                number=number,
                flight=row["flight"],
                origin=row["origin"],
                destination=row["destination"],
                departs=time.fromisoformat(row["departs"]),
                miles=int(row["miles"]),
                flew=row["flew"] == "yes",
            )
            for number, row in enumerate(csv.DictReader(lines), start=1)
        ]


@transaction.atomic
def fill_agency(count: int) -> list[Trip]:
    """Empties the agency and fills it with `count` trips, spread over the day."""
    for model in (Reservation, Trip):
        model.objects.all().delete()
    trips = read_trips()
    every = max(len(trips) // max(count, 1), 1)
    return Trip.objects.bulk_create(trips[::every][:count])
