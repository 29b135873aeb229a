"""The airline, the hotel and the car hire, as far as the agency can see them: a stub that behaves
the same way for a trip each time.

Some airports have no car left; some hotels are hard to reach when one wants to cancel, and a few do
not answer at all. As such services do, it takes an idempotency key: who asks twice under one key
gets the first reservation again.
"""

import logging
from decimal import Decimal

from django.db.models import F

from .models import Reservation, Trip

logger = logging.getLogger(__name__)

FLIGHT, HOTEL, CAR = Reservation.Kind.FLIGHT, Reservation.Kind.HOTEL, Reservation.Kind.CAR


class SoldOut(Exception):
    """There is none left."""


def reserve(trip: Trip, kind: str, *, key: str) -> int:
    """Reserve a flight, a hotel or a car for a trip; the id of the reservation. SoldOut if there is
    none left."""
    if kind == CAR and has_no_car(trip.number):
        raise SoldOut(f"There is no car left in {trip.destination}.")
    made, _ = Reservation.objects.get_or_create(
        idempotency_key=key, defaults={"trip": trip, "kind": kind, "price": _price(trip, kind)}
    )
    logger.info("%s reserved for %s dollars", kind, made.price)
    return made.pk


def give_back(reservation_id: int) -> None:
    """Cancel a reservation; once more does no harm. ConnectionError when nobody answers."""
    reservations = Reservation.objects.filter(pk=reservation_id)
    reservations.update(calls=F("calls") + 1)
    found = reservations.select_related("trip").get()
    if found.kind == HOTEL and found.calls <= calls_missed(found.trip.number):
        raise ConnectionError(f"The hotel in {found.trip.destination} does not answer.")
    reservations.update(is_cancelled=True)
    logger.info("%s cancelled", found.kind)


def has_no_car(trip_number: int) -> bool:
    """Whether the cars are gone: one trip in 14."""
    return trip_number % 14 == 6


def calls_missed(trip_number: int) -> int:
    """How many calls the hotel does not answer: of one trip in 4 the first, of one in 13 any."""
    if trip_number % 13 == 5:
        return 1_000
    return 1 if trip_number % 4 == 0 else 0


def _price(trip: Trip, kind: str) -> Decimal:
    if kind == FLIGHT:
        return (49 + Decimal(trip.miles) / 9).quantize(Decimal("0.01"))
    return Decimal("258.00") if kind == HOTEL else Decimal("74.50")
