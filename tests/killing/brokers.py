"""Brokers of Django-Q2 that deliver worse than any real one: all of it twice, the newest first."""

from typing import Any

from django.db.models import QuerySet
from django_q.brokers.orm import ORM
from django_q.models import OrmQ


class Twice(ORM):
    """Each message comes a second time with those that come after it, or when none does."""

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key)
        self._told: list[Any] = []

    @staticmethod
    def get_connection(list_key: str | None = None) -> QuerySet[OrmQ]:
        ORM.get_connection(list_key)
        return OrmQ.objects.using("default").order_by("-pk")

    def dequeue(self) -> list[Any] | None:
        found = super().dequeue() or []
        told, self._told = [*found, *self._told], found
        return told
