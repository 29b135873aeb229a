"""What the travel agency keeps: trips, and what it has reserved for them.

Plain Django models; the rules stand in workflows.py, and in desks.py for the other side of the
telephone.
"""

from django.db import models


class Trip(models.Model):
    """Somebody wants to fly, to stay for two nights, and to have a car."""

    class Status(models.TextChoices):
        WANTED = "wanted"
        BOOKED = "booked"
        GIVEN_UP = "given up"

    number = models.PositiveIntegerField(unique=True, help_text="The line in the timetable.")
    flight = models.CharField(max_length=10)
    origin = models.CharField(max_length=3)
    destination = models.CharField(max_length=3)
    departs = models.TimeField()
    miles = models.PositiveIntegerField()
    flew = models.BooleanField(help_text="Whether it left on that day.")
    status = models.CharField(max_length=10, choices=Status, default=Status.WANTED)
    run = models.UUIDField(null=True, blank=True, help_text="The run that books this trip.")

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return f"{self.flight} from {self.origin} to {self.destination}"


class Reservation(models.Model):
    """The record of an airline, a hotel or a car hire; desks.py is all of them."""

    class Kind(models.TextChoices):
        FLIGHT = "flight"
        HOTEL = "hotel"
        CAR = "car"

    trip = models.ForeignKey(Trip, on_delete=models.PROTECT, related_name="reservations")
    kind = models.CharField(max_length=10, choices=Kind)
    idempotency_key = models.CharField(max_length=200, unique=True)
    price = models.DecimalField(max_digits=9, decimal_places=2)
    is_cancelled = models.BooleanField(default=False)
    calls = models.PositiveIntegerField(default=0, help_text="How often it was to be cancelled.")

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.kind} for {self.trip}"
