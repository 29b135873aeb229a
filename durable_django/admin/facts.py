"""The facts in the head of an execution's page: what, where, when, by whom. It only reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _

from ..conf import settings
from ..models import Execution, Worker, WorkflowDefinition
from ..models.execution import ExecutionKind
from . import moments
from .pretty import visible


class Fact(NamedTuple):
    """A label and what stands beside it."""

    label: str
    value: Any


def facts(run: Execution, now: datetime, site: str) -> list[Fact]:
    """What is known of ``run``; facts that it does not have are left out. ``site`` names the admin
    site that links lead to."""
    every = [*_what(run, site), *_when(run, now), *_who(run, site)]
    return [fact for fact in every if fact.value not in (None, "")]


def duration(run: Execution, now: datetime) -> str:
    """From start to end; so far, while it has not ended; "" before it has started."""
    if run.started_at is None:
        return ""
    seconds = ((run.finished_at or now) - run.started_at).total_seconds()
    text = moments.length(seconds)
    return text if run.finished_at else _("%(time)s so far") % {"time": text}


def tags(texts: Iterable[str]) -> str:
    """Tags side by side."""
    return format_html_join(" ", '<span class="durable-tag">{}</span>', ((text,) for text in texts))


def link(model: str, pk: Any, text: str, site: str) -> str:
    """A link to the page of one of our rows."""
    address = reverse(f"admin:durable_django_{model}_change", args=[pk], current_app=site)
    return format_html('<a href="{}">{}</a>', address, text)


def _what(run: Execution, site: str) -> Iterator[Fact]:
    yield Fact(_("Id"), format_html("<code>{}</code>", run.pk))
    if run.path:
        yield Fact(_("Path"), format_html("<code>{}</code>", visible(run.path)))
    yield Fact(_("Workflow"), _workflow(run, site))
    yield Fact(_("Queue"), run.queue)
    yield Fact(_("Priority"), str(run.priority))
    yield Fact(_("Idempotency key"), run.idempotency_key)


def _when(run: Execution, now: datetime) -> Iterator[Fact]:
    yield Fact(_("Created"), moments.at(run.created_at, now))
    yield Fact(_("Scheduled for"), moments.at(run.scheduled_at, now))
    yield Fact(_("Started"), moments.at(run.started_at, now))
    yield Fact(_("Finished"), moments.at(run.finished_at, now))
    yield Fact(_("Duration"), duration(run, now))
    if not run.is_final:
        yield Fact(_("Wakes"), moments.at(run.wake_at, now))
        yield Fact(_("Times out"), moments.at(run.timeout_at, now))


def _who(run: Execution, site: str) -> Iterator[Fact]:
    yield Fact(_("Worker"), _worker(run, site))
    yield Fact(_("Lease"), str(run.lease))
    if run.recoveries:
        yield Fact(_("Recoveries"), str(run.recoveries))
    if run.kind == ExecutionKind.STRAND:
        return  # the page says in words whose member it is
    if run.parent_id is not None:
        yield Fact(_("Parent"), link("execution", run.parent_id, str(run.parent_id), site))
    if run.root_id != run.pk:
        yield Fact(_("Root"), link("execution", run.root_id, str(run.root_id), site))


def _workflow(run: Execution, site: str) -> Any:
    """The workflow and its version, linked where a worker has recorded it."""
    rows = WorkflowDefinition.objects.using(settings.DATABASE)
    found = rows.filter(name=run.workflow_name, version=run.version).values_list("pk", flat=True)
    text = f"{run.workflow_name} v{run.version}"
    pk = found.first()
    return text if pk is None else link("workflowdefinition", pk, text, site)


def _worker(run: Execution, site: str) -> Any:
    if run.worker_id is None:
        return None
    # Not run.worker: there is no constraint, and a worker's row may be gone.
    worker = Worker.objects.using(settings.DATABASE).filter(pk=run.worker_id).first()
    return str(run.worker_id) if worker is None else link("worker", worker.pk, str(worker), site)
