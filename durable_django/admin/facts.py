"""The facts in the head of an execution's page: what, where, when, by whom. It only reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _

from ..conf import settings
from ..models import Execution, Worker
from ..showing import spoken
from ..showing.visible import visible
from . import moments
from .run_request import RunRequest


class Fact(NamedTuple):
    """A label and what stands beside it."""

    label: str
    value: Any


def facts(page: RunRequest) -> list[Fact]:
    """What is known of the run of a page; facts that it does not have are left out."""
    run, site = page.run, page.site
    every = [*_what(page), *_when(run, page.now), *_who(run, site), *_family(page)]
    return [fact for fact in every if fact.value not in (None, "")]


def duration(run: Execution, now: datetime) -> str:
    """From start to end; so far, while it has not ended; "" before it has started."""
    if run.started_at is None:
        return ""
    seconds = ((run.finished_at or now) - run.started_at).total_seconds()
    text = spoken.length(seconds)
    return text if run.finished_at else _("%(time)s so far") % {"time": text}


def tags(texts: Iterable[str]) -> str:
    """Tags side by side."""
    return format_html_join(" ", '<span class="durable-tag">{}</span>', ((text,) for text in texts))


def link(model: str, pk: Any, text: str, site: str) -> str:
    """A link to the page of one of our rows."""
    address = reverse(f"admin:durable_django_{model}_change", args=[pk], current_app=site)
    return format_html('<a href="{}">{}</a>', address, text)


def _what(page: RunRequest) -> Iterator[Fact]:
    run = page.run
    yield Fact(_("Id"), format_html("<code>{}</code>", run.pk))
    if run.path:
        yield Fact(_("Path"), format_html("<code>{}</code>", visible(run.path)))
    yield Fact(_("Workflow"), _workflow(run, page.site, page.definition))
    yield Fact(_("Queue"), visible(run.queue))
    yield Fact(_("Priority"), str(run.priority))
    yield Fact(_("Idempotency key"), page.shown.text(run.idempotency_key or ""))


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


def _family(page: RunRequest) -> Iterator[Fact]:
    """The runs it comes from, of which those that this person may not see are not named."""
    run = page.run
    if page.is_strand:
        return  # the page says in words whose member it is
    for label, pk in ((_("Parent"), run.parent_id), (_("Root"), run.root_id)):
        if pk is not None and pk != run.pk and (address := page.doors.run(pk)):
            yield Fact(label, format_html('<a href="{}">{}</a>', address, pk))


def _workflow(run: Execution, site: str, definition: Any) -> Any:
    """The workflow and its version, linked where a worker has recorded it."""
    text = visible(f"{run.workflow_name} v{run.version}")
    return text if definition is None else link("workflowdefinition", definition.pk, text, site)


def _worker(run: Execution, site: str) -> Any:
    if run.worker_id is None:
        return None
    # Not run.worker: there is no constraint, and a worker's row may be gone.
    worker = Worker.objects.using(settings.DATABASE).filter(pk=run.worker_id).first()
    if worker is None:
        return str(run.worker_id)
    return link("worker", worker.pk, visible(str(worker)), site)
