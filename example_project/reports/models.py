"""What the reports keep: dashboards with their figures, those that could not be had included."""

from django.db import models


class Dashboard(models.Model):
    """The shop at one moment."""

    made_at = models.DateTimeField(auto_now_add=True)
    run = models.UUIDField(unique=True, help_text="The run that built it.")

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"dashboard of {self.made_at:%Y-%m-%d %H:%M}"


class Figure(models.Model):
    """One figure, or why it is missing."""

    dashboard = models.ForeignKey(Dashboard, on_delete=models.CASCADE, related_name="figures")
    name = models.CharField(max_length=100)
    value = models.TextField()
    is_missing = models.BooleanField(default=False)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.name}: {'-' if self.is_missing else self.value}"
