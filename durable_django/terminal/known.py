"""Whether there is what a filter names: told where it finds nothing, so that a mistyped name is
not taken for a queue that is empty or a workflow that has no runs.

It only reads. That may be a long look; no name that is spelt right needs it.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import QuerySet

from .. import api_queues
from ..conf import settings
from ..definition import registry
from ..definition.spelling import did_you_mean
from ..exceptions import QueueNotFound, WorkflowNotFound
from ..figures import all_runs
from ..models import Schedule, WorkflowDefinition
from ..models.names import names_of_runs
from ..store import queues


def check_filters(*, workflow: str | None = None, queue: str | None = None) -> None:
    """What a filter that found nothing was given. WorkflowNotFound or QueueNotFound, each with what
    was meant, for a name that neither code nor settings nor a row has.

    >>> check_filters(workflow="proces_order")  # doctest: +SKIP
    Traceback (most recent call last):
    WorkflowNotFound: no workflow is called "proces_order"; did you mean "process_order"?
    """
    if workflow is not None:
        _check_workflow(workflow)
    if queue is not None:
        check_queue(queue)


def check_queue(name: str) -> None:
    """QueueNotFound, with what was meant, for a name that no queue has or had."""
    if queues.is_known(name) or _schedules().filter(queue=name).exists():
        return
    if not all_runs().filter(queue=name).exists():  # also those that have ended
        raise unknown_queue(name, [queue.name for queue in api_queues.list_queues()])


def unknown_queue(name: str, names: Collection[str]) -> QueueNotFound:
    """What is raised of a queue that is none of ``names``."""
    return QueueNotFound(f"no queue is called {name!r}{did_you_mean(name, names)}")


def _check_workflow(name: str) -> None:
    known = {cls.definition.name for cls in registry.all()}
    if name in known:
        return
    rows = WorkflowDefinition.objects.using(settings.DATABASE).order_by()
    known.update(rows.values_list("name", flat=True).distinct())
    known.update(_schedules().values_list("workflow_name", flat=True).distinct())
    known.update(names_of_runs())
    if name not in known:
        raise WorkflowNotFound(f'no workflow is called "{name}"{did_you_mean(name, sorted(known))}')


def _schedules() -> QuerySet[Schedule]:
    return Schedule.objects.using(settings.DATABASE).order_by()
