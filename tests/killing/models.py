"""What steps did, as they saw it themselves: a row each time."""

from django.db import models


class Effect(models.Model):
    run = models.UUIDField()
    node = models.CharField(max_length=50)

    def __str__(self):
        return f"{self.node} of {self.run}"
