"""What the page of one execution shows, made ready for its templates. It decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final, NamedTuple

from ..models import Execution, StepRun
from ..models.reading import output_text
from .masking import Mask, Masks
from .pretty import visible
from .shown import Entry, ErrorView, Shown, ValueView, learn, learn_changes
from .step_view import StepView, Window, step_view

VALUE_LENGTH_MAX: Final = 100_000
PART_LENGTH_MAX: Final = 20_000
ENTRIES_MAX: Final = 500


class Entries(NamedTuple):
    """Values by key, and how many more there are."""

    entries: list[Entry]
    more: int


@dataclass(frozen=True)
class RunPage:
    """One execution, ready to be shown."""

    reason: str
    tags: list[str]
    input: ValueView
    result: ValueView | None
    error: ErrorView | None
    context: Entries
    outputs: Entries
    steps: list[StepView]


def run_page(run: Execution, rows: list[StepRun], now: datetime, *, whole: bool) -> RunPage:
    """Reads what a run knows, in one query, or two if it has large outputs. ``rows`` are the step
    runs to show; with ``whole`` no value is cut."""
    mask = Masks([(run.workflow_name, run.version)]).of(run.workflow_name, run.version)
    state = run.state
    outputs = {**_referenced(run, state.references), **state.outputs}
    _learn(mask, run, rows, (state.context, outputs))
    shown = Shown(mask, None if whole else VALUE_LENGTH_MAX)
    part = Shown(mask, None if whole else PART_LENGTH_MAX)
    window = Window.of(run, now)
    return RunPage(
        reason=shown.text(run.reason),
        tags=tag_texts(run.tags, mask),
        input=shown.value(run.input_text),
        result=shown.value(run.result_text) if run.status == "completed" else None,
        error=shown.error(run.error_text),
        context=_entries(state.context, part),
        outputs=_entries(outputs, part),
        steps=[step_view(row, part, window, is_last=row is rows[-1]) for row in rows],
    )


def tag_texts(tags: object, mask: Mask) -> list[str]:
    """Tags as texts: ``vip``, ``customer=42``."""
    if isinstance(tags, Mapping):
        return [visible(f"{key}={mask.under(key, value)}") for key, value in tags.items()]
    return [visible(mask.text(str(tag))) for tag in tags] if isinstance(tags, list) else []


def _entries(texts: Mapping[str, str], shown: Shown) -> Entries:
    """The first of many, all of them where values are shown whole."""
    most = len(texts) if shown.limit is None else ENTRIES_MAX
    kept = islice(texts.items(), most)
    return Entries([shown.entry(key, text) for key, text in kept], max(len(texts) - most, 0))


def _referenced(run: Execution, references: Mapping[str, str]) -> dict[str, str]:
    """The outputs that a snapshot only refers to."""
    return {name: output_text(run.pk, ref) for name, ref in references.items()}


def _learn(
    mask: Mask, run: Execution, rows: list[StepRun], entries: tuple[Mapping[str, str], ...]
) -> None:
    """Gathers the secrets of a run before any of its texts is shown."""
    if mask.is_empty:
        return
    learn(mask, run.input_text)
    learn(mask, run.result_text)
    for mapping in entries:
        for key, text in mapping.items():
            learn(mask, text, key)
    for row in rows:
        learn(mask, row.output_text, row.name)
        learn_changes(mask, row.changes_text)
