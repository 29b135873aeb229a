"""How a trip is booked, as a saga: each booking says how it is undone, and what cannot be flown is
given back, newest first.

Airline, hotel and car hire are outside services. No transaction of ours can take their bookings
back, so that is written beside them.
"""

from typing import Any, TypedDict

from durable_django import MemberFailure, Retry, Workflow, hours, parallel, step

from . import desks
from .models import Reservation, Trip


class TripInput(TypedDict):
    trip: int


class NotAvailable(Exception):
    """Something that the trip needs could not be booked."""


class FlightCancelled(Exception):
    """The flight does not leave."""


class BookTrip(Workflow):
    """A flight, then a bed and a car side by side; if one is missing, none of them is kept."""

    input: TripInput

    class Meta:
        name = "book_trip"
        timeout = hours(1)

    @step
    def look_up(self) -> None:
        """Refuse what is no trip, before anything is booked."""
        self.context["flight"] = str(self._trip())

    @look_up.compensate
    def give_up(self) -> None:
        """The oldest visit is undone last: by now all that could be given back was."""
        Trip.objects.filter(pk=self.input["trip"]).update(status=Trip.Status.GIVEN_UP)

    @step
    def book_flight(self) -> int:
        return desks.reserve(self._trip(), desks.FLIGHT, key=self.idempotency_key)

    @book_flight.compensate
    def cancel_flight(self) -> None:
        desks.give_back(self.outputs["book_flight"])

    # "collect", so that neither is cut off in the middle of its booking when the other one fails:
    # what was booked is then known, and can be given back.
    with parallel(on_error="collect") as stay:

        @step
        def book_hotel(self) -> int:
            return desks.reserve(self._trip(), desks.HOTEL, key=self.idempotency_key)

        # Nobody waits for this, so it may ring again. Where all is in vain the run ends as
        # compensation_failed, for somebody to look at; the other handlers have run all the same.
        @book_hotel.compensate(retry=Retry(max_attempts=3, base=0.3))
        def cancel_hotel(self) -> None:
            desks.give_back(self.outputs["book_hotel"])

        @step
        def book_car(self) -> int:
            return desks.reserve(self._trip(), desks.CAR, key=self.idempotency_key)

        @book_car.compensate
        def cancel_car(self) -> None:
            desks.give_back(self.outputs["book_car"])

    @step
    def check(self) -> None:
        """A trip without a bed or a car is none."""
        for name, given in self.outputs["stay"].items():
            if isinstance(given, MemberFailure):
                raise NotAvailable(f"{name}: {given.message}")

    @step
    def board(self) -> None:
        """The moment in which the airline tells that it does not fly today."""
        if not self._trip().flew:
            raise FlightCancelled(f"{self.context['flight']} does not leave today.")

    @step(atomic=True)
    def confirm(self) -> dict[str, Any]:
        trip = self._trip()
        trip.status = Trip.Status.BOOKED
        trip.save(update_fields=["status"])
        prices = Reservation.objects.filter(trip=trip).values_list("price", flat=True)
        return {"trip": str(trip), "dollars": sum(prices)}

    def _trip(self) -> Trip:
        return Trip.objects.get(pk=self.input["trip"])
