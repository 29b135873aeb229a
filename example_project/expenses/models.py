"""What the expenses keep: claims, and what became of them.

A plain Django model; who has to agree to what stands in workflows.py.
"""

from django.conf import settings
from django.db import models


class Claim(models.Model):
    """Somebody has paid for the company and wants the money back."""

    class Status(models.TextChoices):
        SUBMITTED = "submitted"
        APPROVED = "approved"
        REJECTED = "rejected"

    employee = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="claims"
    )
    title = models.CharField(max_length=100, help_text="What the money was spent on.")
    amount = models.DecimalField(max_digits=9, decimal_places=2, help_text="In dollars.")
    spent_on = models.DateField()
    status = models.CharField(max_length=10, choices=Status, default=Status.SUBMITTED)
    decided_by = models.CharField(max_length=150, blank=True, help_text="Who had the last word.")
    reason = models.TextField(blank=True, help_text="Why it was rejected.")
    reminders = models.PositiveIntegerField(
        default=0, help_text="How often approvers were reminded."
    )
    run = models.UUIDField(
        null=True, blank=True, help_text="The run that gets this claim approved."
    )

    class Meta:
        ordering = ["pk"]
        permissions = [("approve_large_claim", "Can approve claims over 1,000 dollars")]

    def __str__(self) -> str:
        return f"{self.title}, {self.amount} dollars"
