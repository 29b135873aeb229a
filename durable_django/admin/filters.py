"""Filters of the list of executions. None reads its choices off the runs, which may be many."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..conf import settings
from ..definition import registry
from ..models import Execution, ExecutionStatus, Queue, Worker, WorkerStatus
from ..models.ids import first_at
from ..models.status import FINAL_VALUES
from ..store import clock
from .seeing import offered_workflows, sees_all, visible_runs

ACTIVE = "active"
ATTENTION = "attention"
# Groups of statuses, in the words of the address.
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    ACTIVE: tuple(sorted(set(ExecutionStatus.values) - FINAL_VALUES)),
    ATTENTION: (
        ExecutionStatus.FAILED.value,
        ExecutionStatus.COMPENSATION_FAILED.value,
        ExecutionStatus.PAUSED.value,
    ),
}
# Ids carry the time of the process that made them, ``created_at`` that of the database.
CLOCKS_APART_MAX = timedelta(hours=1)

PARAMETERS = frozenset(
    {"status", "workflow", "version", "queue", "created", "created_from", "created_to"}
)


class OpenChoice(admin.SimpleListFilter):
    """A filter whose choices are suggestions: a value in the address that is none of them counts
    too, and is listed."""

    def __init__(self, request: HttpRequest, params: Any, model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        value = self.value()
        if value and "\0" in value:
            raise IncorrectLookupParameters
        if value and value not in {str(key) for key, _label in self.lookup_choices}:
            self.lookup_choices = [*self.lookup_choices, (value, value)]

    def has_output(self) -> bool:
        return len(self.lookup_choices) > 0


class StatusFilter(admin.SimpleListFilter):
    """One status, or a group of them."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        statuses = [(status.value, str(status.label)) for status in ExecutionStatus]
        groups = [(ACTIVE, gettext("not ended")), (ATTENTION, gettext("needs attention"))]
        return [*groups, *statuses]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.value()
        if wanted is None:
            return queryset
        if wanted in GROUPS:
            return queryset.filter(status__in=GROUPS[wanted])
        if wanted not in ExecutionStatus.values:
            raise IncorrectLookupParameters
        return queryset.filter(status=wanted)

    @classmethod
    def statuses(cls, wanted: str) -> tuple[str, ...]:
        """Those that a word of the address means."""
        return GROUPS.get(wanted, (wanted,))


class WorkflowFilter(OpenChoice):
    """A workflow by name."""

    title = _("workflow")
    parameter_name = "workflow"
    column = "workflow_name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in offered_workflows(request, model_admin, self.column)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(workflow_name=self.value()) if self.value() else queryset


class LinkedFilter(admin.SimpleListFilter):
    """A filter for links from other pages; it offers no choice but the one in the address."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        value = self.value()
        return [(value, value)] if value else []


class VersionFilter(LinkedFilter):
    """A version, for links from a definition."""

    title = _("version")
    parameter_name = "version"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if not value:
            return queryset
        if not value.isdecimal() or len(value) > 9:
            raise IncorrectLookupParameters
        return queryset.filter(version=int(value))


class LinkedRunFilter(LinkedFilter):
    """What belongs to one run, named by its id; ``column`` is the foreign key."""

    column = ""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if not value:
            return queryset
        try:
            return queryset.filter(**{self.column: UUID(value)})
        except ValueError as error:
            raise IncorrectLookupParameters(error) from error


class QueueFilter(OpenChoice):
    """A queue: those that the settings, the workflows or living workers name, or that were paused
    or limited. Who sees only some runs, and no queues, is offered none."""

    title = _("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        runs = visible_runs(model_admin.admin_site, request)
        if not sees_all(runs) and not request.user.has_perm("durable_django.view_queue"):
            return []
        names = {"default", *settings.QUEUES}
        names.update(cls.definition.options.queue for cls in registry.all())
        workers = Worker.objects.using(settings.DATABASE).filter(status=WorkerStatus.ALIVE)
        for queues in workers.values_list("queues", flat=True):
            names.update(queues)
        names.update(Queue.objects.using(settings.DATABASE).values_list("name", flat=True))
        return [(name, name) for name in sorted(names)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(queue=self.value()) if self.value() else queryset


class CreatedFilter(admin.ListFilter):
    """Created within the last hour, day, …, or between two days."""

    title = _("created")
    template = "admin/durable_django/includes/created_filter.html"
    since, first, last = "created", "created_from", "created_to"
    PERIODS = {
        "hour": (_("Past hour"), timedelta(hours=1)),
        "day": (_("Past 24 hours"), timedelta(days=1)),
        "week": (_("Past 7 days"), timedelta(days=7)),
        "month": (_("Past 30 days"), timedelta(days=30)),
    }

    used_parameters: dict[str, Any]

    def __init__(self, request: HttpRequest, params: Any, model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        for name in self.expected_parameters():
            if name in params:
                self.used_parameters[name] = params.pop(name)[-1]

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[Any]:
        return [self.since, self.first, self.last]

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        chosen = self.used_parameters.get(self.since)
        every = self.expected_parameters()
        yield {
            "selected": not any(self.used_parameters.values()),
            "query_string": changelist.get_query_string(remove=every),
            "display": gettext("Any time"),
        }
        for key, (label, _length) in self.PERIODS.items():
            yield {
                "selected": chosen == key,
                "query_string": changelist.get_query_string({self.since: key}, every),
                "display": label,
            }
        yield {"form": self._form(changelist)}

    def _form(self, changelist: Any) -> dict[str, Any]:
        """What the two fields for days need: their values, and the rest of the address."""
        others = changelist.filter_params.items()
        return {
            "first": self.used_parameters.get(self.first, ""),
            "last": self.used_parameters.get(self.last, ""),
            "kept": [
                (key, value)
                for key, values in others
                if key not in self.expected_parameters()
                for value in values
            ],
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if period := self.used_parameters.get(self.since):
            if period not in self.PERIODS:
                raise IncorrectLookupParameters
            queryset = _created_since(queryset, clock.now() - self.PERIODS[period][1])
        if day := self.used_parameters.get(self.first):
            queryset = _created_since(queryset, _midnight(day))
        if day := self.used_parameters.get(self.last):
            queryset = _created_before(queryset, _midnight(day, after=1))
        return queryset


def _midnight(text: str, after: int = 0) -> datetime:
    """The begin of a day in the reader's time zone, ``after`` days later."""
    try:
        day = parse_date(text)
        if not isinstance(day, date):
            raise IncorrectLookupParameters
        day += timedelta(days=after)
        return datetime(day.year, day.month, day.day, tzinfo=timezone.get_current_timezone())
    except (ValueError, OverflowError) as error:
        raise IncorrectLookupParameters(error) from error


def _created_since(queryset: QuerySet[Execution], moment: datetime) -> QuerySet[Execution]:
    return queryset.filter(created_at__gte=moment, id__gte=first_at(moment - CLOCKS_APART_MAX))


def _created_before(queryset: QuerySet[Execution], moment: datetime) -> QuerySet[Execution]:
    return queryset.filter(created_at__lt=moment, id__lt=first_at(moment + CLOCKS_APART_MAX))
