"""What the demo prints about the trips: what was booked, what was given back, and whether that adds
up. It only reads.
"""

from collections.abc import Iterator

from django.db.models import Count, Q

import durable_django as durable
from example_project.shop.report import Batch, attempts_of

from .models import Reservation, Trip


def summary(batch: Batch) -> Iterator[str]:
    """The table of what became of the trips, line by line."""
    yield from batch.lines("book_trip")
    for kind, booked, cancelled in _reservations():
        yield f"  {kind + 's booked':<36}{booked:>7,}  of them cancelled: {cancelled:,}"


def mistakes(batch: Batch) -> Iterator[str]:
    """What must never be seen. What is not cancelled belongs to a trip that takes place, but for
    hotels that could not be reached."""
    counts = batch.counts("book_trip")
    unreached = counts["compensation_failed"]
    for kind, booked, cancelled in _reservations():
        wanted = counts["completed"] + (unreached if kind == Reservation.Kind.HOTEL else 0)
        if booked - cancelled != wanted:
            yield f"{booked} {kind}s booked and {cancelled} cancelled do not leave {wanted}"
    for status, trips in (
        (Trip.Status.BOOKED, counts["completed"]),
        (Trip.Status.GIVEN_UP, counts["compensated"] + unreached),
    ):
        found = Trip.objects.filter(status=status).count()
        if found != trips:
            yield f"{found} trips are {status}, not {trips}"
    twice = Reservation.objects.values("trip", "kind").annotate(n=Count("pk")).filter(n__gt=1)
    if twice.exists():
        yield "something was booked twice for one trip"


def timeline(batch: Batch) -> Iterator[str]:
    """The attempts of one trip that was given up, line by line; with a hotel that was called again,
    if there is any."""
    given_up = Trip.objects.filter(run__in=batch.runs("book_trip").filter(status="compensated"))
    trip = given_up.order_by("-reservations__calls", "number").first()
    if trip is not None and trip.run is not None:
        yield from attempts_of(durable.get_execution(trip.run), str(trip))


def _reservations() -> list[tuple[str, int, int]]:
    """(kind, booked, of them cancelled)."""
    rows = Reservation.objects.order_by("kind").values_list("kind")
    return list(
        rows.annotate(booked=Count("pk"), cancelled=Count("pk", filter=Q(is_cancelled=True)))
    )
