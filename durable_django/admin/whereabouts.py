"""Where the runs of a list stand: the node each is at, how far it says it is, and its tags.

One query for a whole page, over the key of step runs: the last of each run. What a step says of its
progress, and a tag, is free text and is masked; where that needs the run's payloads, those that are
large are not read, and of these texts nothing is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Length
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext

from ..conf import settings
from ..engine.paths import JOIN
from ..models import Execution, ExecutionStatus, StepRun, StepStatus
from ..models.history import base_state
from ..showing.learning import learn
from ..showing.masking import Mask, Masks
from ..showing.tagging import tag_texts
from ..showing.visible import visible

MESSAGE_LENGTH_MAX: Final = 60
NODE_LENGTH_MAX: Final = 60
# A run with more in its input and its context is not read to mask a text of some words.
READ_LENGTH_MAX: Final = 20_000
# Of a run that has ended so, it is said how it ended, not where.
_OVER: Final = (ExecutionStatus.COMPLETED, ExecutionStatus.COMPENSATED)


def place_runs(runs: Iterable[Any], masks: Masks) -> None:
    """Gives each run ``where``, ready to be shown: its node, and its progress."""
    rows = list(runs)
    last = {step.execution_id: step for step in _last_steps([run.pk for run in rows])}
    telling = [run for run in rows if _tells(last.get(run.pk))]
    known = _taught([run for run in rows if run.tags or run in telling], masks)
    told = {
        run.pk: visible(known[run.pk].text(last[run.pk].progress_message))
        for run in telling
        if run.pk in known
    }
    for run in rows:
        mask = known.get(run.pk) or masks.of(run.workflow_name, run.version)
        run.shown_tags = tag_texts(run.tags, mask, whole=run.pk in known) if run.tags else []
        run.where = _where(run, last.get(run.pk), told.get(run.pk, ""))


def _last_steps(ids: list[UUID]) -> QuerySet[StepRun]:
    steps = StepRun.objects.using(settings.DATABASE)
    own = steps.filter(execution=OuterRef("pk")).order_by("-seq").values("pk")[:1]
    runs = Execution.objects.using(settings.DATABASE).filter(id__any=ids).order_by()
    return (
        steps.filter(pk__in=list(runs.annotate(last=Subquery(own)).values_list("last", flat=True)))
        .only("execution_id", "path", "next_path", "status", "progress", "progress_message")
        .order_by()
    )


def _tells(step: StepRun | None) -> bool:
    if step is None or step.status != StepStatus.RUNNING:
        return False
    return bool(step.progress_message)


def _taught(runs: list[Execution], masks: Masks) -> dict[UUID, Mask]:
    """Masks that know the secrets of these runs; none for those whose payloads are large."""
    masked = {run.pk: masks.of(run.workflow_name, run.version) for run in runs}
    secret = [pk for pk, mask in masked.items() if not mask.is_empty]
    known = {pk: mask for pk, mask in masked.items() if mask.is_empty}
    if secret:
        size = Length("input_text") + Length("snapshot")
        rows = Execution.objects.using(settings.DATABASE).filter(id__any=secret)
        small = rows.annotate(size=size).filter(size__lte=READ_LENGTH_MAX)
        for row in small.only("input_text", "snapshot"):
            mask = masked[row.pk]
            learn(mask, row.input_text)
            state = base_state(row.snapshot)
            for key, text in [*state.context.items(), *state.outputs.items()]:
                learn(mask, text, (key,))
            known[row.pk] = mask
    return known


def _where(run: Execution, step: StepRun | None, message: str) -> str:
    if step is None or run.status in _OVER:
        return ""
    path = visible(_path(step).removesuffix(JOIN))
    shown = format_html('<code title="{}">{}</code>', path, Truncator(path).chars(NODE_LENGTH_MAX))
    if run.remaining and not run.is_final:
        n = run.remaining
        left = ngettext("%(n)d member left", "%(n)d members left", n) % {"n": n}
        return format_html('{} <span class="quiet">{}</span>', shown, left)
    if step.status != StepStatus.RUNNING or not (step.progress or message):
        return shown
    percent = round(min(max(step.progress, 0), 1) * 100)
    return format_html(
        '{} <span class="durable-doing"><progress max="100" value="{}" aria-label="{}"></progress>'
        ' {} <span title="{}">{}</span></span>',
        shown,
        percent,
        gettext("Progress"),
        gettext("%(n)d %%") % {"n": percent},
        message,
        Truncator(message).chars(MESSAGE_LENGTH_MAX),
    )


def _path(step: StepRun) -> str:
    """The node a run is at: where its last attempt is still to be done or did not succeed, that
    one's; else the next."""
    if step.status in (StepStatus.COMPLETED, StepStatus.SKIPPED):
        return step.next_path or step.path
    return step.path
