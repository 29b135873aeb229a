"""Trips: booked as a whole, or given back newest first."""

import pytest

from durable_django import cancel, hours
from durable_django.testing import advance, assert_status, crash_after, crash_before, drain, run
from example_project.trips import desks
from example_project.trips.models import Reservation, Trip
from example_project.trips.timetable import fill_agency, read_trips
from example_project.trips.workflows import BookTrip

pytestmark = pytest.mark.django_db

# What the other side does is derived from the trip's number, see desks.py.
PLAIN, NO_CAR, BUSY, NO_ANSWER = 1, 6, 8, 5


@pytest.fixture(autouse=True)
def kit(durable):
    """Puts time back after each test."""


@pytest.fixture
def make_trip():
    def make(number=PLAIN, *, flew=True):
        trip = next(trip for trip in read_trips() if trip.number == number)
        trip.flew = flew
        trip.save()
        return trip

    return make


def book(trip):
    """Runs the workflow past the pauses between calls."""
    execution = run(BookTrip, {"trip": trip.pk})
    for _ in range(3):
        advance(5)
        drain()
    execution.refresh_from_db()
    trip.refresh_from_db()
    return execution


def reservations():
    rows = Reservation.objects.order_by("pk")
    return dict(rows.values_list("kind", "is_cancelled"))


def undone(execution):
    rows = execution.steps.filter(kind="compensation").order_by("id")
    return list(rows.values_list("name", "status"))


def test_the_numbers_are_what_the_tests_take_them_for():
    assert desks.has_no_car(NO_CAR)
    assert not any(desks.has_no_car(number) for number in (PLAIN, BUSY, NO_ANSWER))
    assert [desks.calls_missed(n) for n in (PLAIN, NO_CAR, BUSY)] == [0, 0, 1]
    assert desks.calls_missed(NO_ANSWER) > 3


def test_the_timetable_holds_the_flights_of_the_day_and_about_half_of_them_flew():
    trips = read_trips()
    assert len(trips) == 930
    assert sum(trip.flew for trip in trips) == 458
    assert str(trips[0]) == "US1117 from EWR to CLT"


def test_trips_are_spread_over_the_day():
    trips = fill_agency(60)
    assert [trip.number for trip in trips[:3]] == [1, 16, 31]
    assert Trip.objects.count() == 60
    fill_agency(2)
    assert Trip.objects.count() == 2


def test_a_trip_that_flies_is_booked_as_a_whole(make_trip):
    trip = make_trip()
    execution = book(trip)
    assert_status(execution, "completed")
    assert reservations() == {"flight": False, "hotel": False, "car": False}
    assert execution.result["dollars"] == sum(r.price for r in Reservation.objects.all())
    assert trip.status == "booked"


def test_a_flight_that_does_not_leave_gives_all_back_newest_first(make_trip):
    trip = make_trip(flew=False)
    execution = book(trip)
    assert_status(execution, "compensated")
    assert execution.error["type"] == "FlightCancelled"
    assert reservations() == {"flight": True, "hotel": True, "car": True}
    assert undone(execution) == [
        ("cancel_car", "completed"),
        ("cancel_hotel", "completed"),
        ("cancel_flight", "completed"),
        ("give_up", "completed"),
    ]
    assert trip.status == "given up"


def test_without_a_car_hotel_and_flight_are_given_back_and_no_car(make_trip):
    execution = book(make_trip(NO_CAR))
    assert_status(execution, "compensated")
    assert execution.error["message"] == "book_car: There is no car left in ORD."
    assert reservations() == {"flight": True, "hotel": True}
    assert [name for name, _ in undone(execution)] == ["cancel_hotel", "cancel_flight", "give_up"]


def test_a_hotel_that_does_not_answer_is_called_again(make_trip):
    execution = book(make_trip(BUSY, flew=False))
    assert_status(execution, "compensated")
    assert undone(execution)[1:3] == [("cancel_hotel", "failed"), ("cancel_hotel", "completed")]
    assert Reservation.objects.get(kind="hotel").calls == 2


def test_a_hotel_that_never_answers_stays_booked_and_the_rest_is_given_back(make_trip):
    trip = make_trip(NO_ANSWER, flew=False)
    execution = book(trip)
    assert_status(execution, "compensation_failed")
    assert execution.error["type"] == "FlightCancelled", "the error stays that of the run"
    assert reservations() == {"flight": True, "hotel": False, "car": True}
    assert Reservation.objects.get(kind="hotel").calls == 3
    assert trip.status == "given up"


@pytest.mark.parametrize("crash", [crash_before, crash_after])
def test_a_crash_in_the_middle_of_giving_back_is_gone_on_from(make_trip, crash):
    crash(BookTrip.cancel_hotel)
    execution = book(make_trip(flew=False))
    assert_status(execution, "compensated")
    assert reservations() == {"flight": True, "hotel": True, "car": True}
    assert len(undone(execution)) == 4


def test_a_crash_while_booking_books_nothing_twice(make_trip):
    with crash_after(BookTrip.book_hotel):
        execution = book(make_trip())
    assert_status(execution, "completed")
    assert Reservation.objects.count() == 3


def test_a_trip_that_is_cancelled_in_time_is_given_back(make_trip):
    trip = make_trip()
    execution = BookTrip.start({"trip": trip.pk})
    cancel(execution, reason="no time", compensate=True)
    drain()
    assert_status(execution, "cancelled")
    assert not Reservation.objects.exists(), "it had not begun, so there was nothing to undo"


def test_a_trip_that_nobody_takes_up_in_time_fails(make_trip):
    execution = BookTrip.start({"trip": make_trip().pk})
    advance(hours(2))
    drain()
    assert_status(execution, "failed")


@pytest.mark.parametrize("path", ["trips/trip", "reports/dashboard"])
def test_the_lists_in_the_admin_open(admin_client, make_trip, path):
    make_trip()
    assert admin_client.get(f"/admin/{path}/").status_code == 200


def test_a_trip_in_the_admin_shows_its_reservations(admin_client, make_trip):
    trip = make_trip()
    book(trip)
    page = admin_client.get(f"/admin/trips/trip/{trip.pk}/change/").content.decode()
    assert "258.00" in page
