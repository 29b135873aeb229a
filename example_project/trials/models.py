"""What the record club keeps: who is trying it, who has joined.

A plain Django model; what happens during a trial stands in workflows.py.
"""

from django.db import models

from example_project.shop.models import Customer


class Trial(models.Model):
    """A customer may use the club for two weeks without paying."""

    class Status(models.TextChoices):
        RUNNING = "running"
        JOINED = "joined"
        ENDED = "ended"

    customer = models.OneToOneField(Customer, on_delete=models.CASCADE, related_name="trial")
    status = models.CharField(max_length=10, choices=Status, default=Status.RUNNING)
    was_reminded = models.BooleanField(default=False)
    run = models.UUIDField(null=True, blank=True, help_text="The run that reminds of this trial.")

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"trial of {self.customer}"
