"""Which runs somebody may see, as the admin of executions says: other pages ask it here.

What is told of runs without naming one (the names of workflows, sums) is told to who sees all runs;
of others it is found out what their own runs tell. It only reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any
from uuid import UUID

from django.contrib.admin import AdminSite
from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet
from django.http import HttpRequest

from ..figures import all_runs, count_capped
from ..models import Execution
from .searching import workflow_names

# A statement has so many parts at most.
NAMES_AT_ONCE = 100


def visible_runs(site: AdminSite, request: HttpRequest) -> QuerySet[Execution] | None:
    """The runs that this person may see; None for none."""
    if not site.is_registered(Execution):
        return None
    executions = site.get_model_admin(Execution)
    if not executions.has_view_permission(request):
        return None
    return executions.get_queryset(request)


def sees_all(runs: QuerySet[Execution] | None) -> bool:
    """Whether ``runs``, which somebody may see, are all there are: the same query."""
    if runs is None:
        return False
    try:
        queries = [rows.order_by().values("pk").query for rows in (runs, all_runs())]
        mine, every = (query.sql_with_params() for query in queries)
    except EmptyResultSet:
        return False
    return bool(mine == every)


def offered_workflows(request: HttpRequest, model_admin: Any, column: str) -> list[str]:
    """The names of workflows to choose from: every one for who sees all runs, or definitions; for
    others those of the rows that ``model_admin`` shows them, which have the name in ``column``."""
    names = workflow_names(request)
    runs = visible_runs(model_admin.admin_site, request)
    user: Any = request.user
    if sees_all(runs) or user.has_perm("durable_django.view_workflowdefinition"):
        return names
    rows = model_admin.get_queryset(request).order_by()
    offered: list[str] = []
    for begin in range(0, len(names), NAMES_AT_ONCE):
        some = {name: rows.filter(**{column: name}) for name in names[begin:][:NAMES_AT_ONCE]}
        offered += [name for name, found in count_capped(some, 1).items() if found.number]
    return offered


class Sight:
    """Whether somebody may see a run that a page names. One that he may not is not named."""

    def __init__(self, site: AdminSite, request: HttpRequest) -> None:
        self._site = site
        self._request = request
        self._known: dict[UUID, bool] = {}

    @cached_property
    def _runs(self) -> QuerySet[Execution] | None:
        return visible_runs(self._site, self._request)

    @cached_property
    def _is_whole(self) -> bool:
        return sees_all(self._runs)

    def look_at(self, ids: Iterable[UUID | None]) -> None:
        """Asks for several at once."""
        asked = {pk for pk in ids if pk is not None and pk not in self._known}
        if self._is_whole or self._runs is None or not asked:
            return
        found = set(self._runs.filter(pk__in=asked).values_list("pk", flat=True))
        self._known.update({pk: pk in found for pk in asked})

    def sees(self, pk: UUID) -> bool:
        """Whether this run may be seen. Who sees all runs is not asked for each."""
        self.look_at([pk])
        return self._is_whole or self._known.get(pk, False)
