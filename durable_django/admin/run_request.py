"""What somebody asks to see of one execution: the request, the row, and what all tabs need of it.

It reads what a run knows, at most once, and lets the mask learn its secrets before any text of the
run is shown. It makes nothing to be looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest, QueryDict

from ..conf import settings
from ..definition import registry
from ..engine.state import RunState
from ..models import Execution, ExecutionStatus, StepRun, WorkflowDefinition
from ..models.execution import ExecutionKind
from ..models.history import base_state
from ..showing.keys import keys_of_item, keys_of_member
from ..showing.learning import learn, learn_changes
from ..showing.masking import Mask, Masks, sources_of_items
from ..showing.previews import Previews
from ..store import clock
from . import belonging
from .fork_view import Links
from .revealing import reveals
from .shown import Shown
from .step_view import keys_of
from .waits import Doors

VALUE_LENGTH_MAX: Final = 100_000
PART_LENGTH_MAX: Final = 20_000
RECORDED_MAX: Final = 2_000


@dataclass(frozen=True)
class RunRequest:
    """One execution as one person asks for it.

    ``run``    the run, or a strand of one
    ``above``  for a strand its run, then the strands on the way down to it; else empty
    ``now``    the database's time
    ``mask``   hides what this person may not see; it knows the secrets of the run
    ``whole``  no value is to be cut
    """

    request: HttpRequest
    run: Execution
    admin: admin.ModelAdmin[Any]
    now: datetime
    mask: Mask
    whole: bool
    above: list[Execution]

    @classmethod
    def of(cls, request: HttpRequest, run: Execution, model_admin: Any) -> RunRequest:
        """Reads what is above ``run``, and what its mask has to know."""
        masks = Masks([(run.workflow_name, run.version)], reveal=reveals(request))
        mask = masks.of(run.workflow_name, run.version)
        above = belonging.above(run)
        page = cls(request, run, model_admin, clock.now(), mask, "whole" in request.GET, above)
        page._learn()
        return page

    @property
    def is_strand(self) -> bool:
        """Whether it is a member of a run, and no run itself."""
        return self.run.kind == ExecutionKind.STRAND

    @property
    def site(self) -> str:
        """The name of the admin site that links lead to."""
        return self.admin.admin_site.name

    @cached_property
    def state(self) -> RunState:
        """What the run knows, as of its last checkpoint."""
        return self.run.state

    @cached_property
    def outputs(self) -> Mapping[str, str]:
        """Node name -> the stored text of what it gave, large ones too."""
        return {**_referenced(self.run, self.state.references), **self.state.outputs}

    @cached_property
    def definition(self) -> WorkflowDefinition | None:
        """What was stored when this version first ran; None where no worker had it."""
        rows = WorkflowDefinition.objects.using(settings.DATABASE)
        return rows.filter(name=self.run.workflow_name, version=self.run.version).first()

    @cached_property
    def structure(self) -> Any:
        """The plan that was stored, or else that of the code; None where neither is known here."""
        if self.definition is not None:
            return self.definition.structure
        wanted = (self.run.workflow_name, self.run.version)
        definitions = (cls.definition for cls in registry.all())
        known = (found for found in definitions if (found.name, found.version) == wanted)
        return next((definition.structure() for definition in known), None)

    @cached_property
    def sources(self) -> Mapping[str, str]:
        """Of each foreach where its items come from; empty where nothing is masked."""
        if self.mask.is_empty:
            return {}
        return sources_of_items(self.run.workflow_name, self.run.version)

    @cached_property
    def item_keys(self) -> tuple[str, ...]:
        """The names that the input of a strand, its item, may stand under."""
        return keys_of_item(self.run, self.sources) if self.is_strand else ()

    @cached_property
    def own_keys(self) -> tuple[str, ...]:
        """The names that what a strand gave may stand under."""
        return keys_of_member(self.run) if self.is_strand else ()

    @cached_property
    def doors(self) -> Doors:
        """Where waits lead to."""
        return Doors(self.admin.admin_site, self.request)

    @cached_property
    def links(self) -> Links:
        """Addresses of executions."""
        return Links(self.run, self.request.GET, self.site)

    @cached_property
    def _previews(self) -> Previews:
        return Previews()

    @property
    def shown(self) -> Shown:
        """Shows values that stand by themselves."""
        return Shown(self.mask, None if self.whole else VALUE_LENGTH_MAX, self._previews)

    @property
    def part(self) -> Shown:
        """Shows values of which there are many."""
        return Shown(self.mask, None if self.whole else PART_LENGTH_MAX, self._previews)

    def tab_address(self, tab: str, **query: object) -> str:
        """The address of a tab of this page: ``?tab=steps&node=charge``."""
        found = QueryDict(mutable=True)
        found["tab"] = tab
        if "_changelist_filters" in self.request.GET:
            found["_changelist_filters"] = str(self.request.GET["_changelist_filters"])
        found.update({key: str(value) for key, value in query.items()})
        return f"?{found.urlencode()}"

    def _learn(self) -> None:
        if self.mask.is_empty:
            return
        run = self.run
        learn(self.mask, run.input_text, self.item_keys)
        learn(self.mask, run.result_text, self.own_keys)
        _learn_known(self.mask, run)
        if self.above:
            learn(self.mask, self.above[0].input_text)
            _learn_known(self.mask, self.above[0])


def _learn_known(mask: Mask, run: Execution) -> None:
    """Lets ``mask`` gather the secrets that a run knows: of its snapshot, and of what was recorded
    since. Without replaying it: only the rows that name a sensitive key are read."""
    state = base_state(run.snapshot, run.path)
    outputs = {**_referenced(run, state.references), **state.outputs}
    for key, text in [*state.context.items(), *outputs.items()]:
        learn(mask, text, (key,))
    for change in state.changes:
        learn(mask, change.text, (change.key,))
    if run.status == ExecutionStatus.COMPLETED:  # its snapshot was written with its end
        return
    pattern = mask.pattern
    rows = StepRun.objects.using(settings.DATABASE)
    rows = rows.filter(execution_id=run.pk, seq__gt=run.snapshot_seq).filter(
        Q(changes_text__iregex=pattern) | Q(output_text__iregex=pattern) | Q(path__iregex=pattern)
    )
    for row in rows.only("path", "name", "output_text", "changes_text")[:RECORDED_MAX]:
        learn(mask, row.output_text, keys_of(row))
        learn_changes(mask, row.changes_text)


def _referenced(run: Execution, references: Mapping[str, str]) -> dict[str, str]:
    """The outputs that a snapshot only refers to: "12" is a step run of ``run`` itself, "<hex>:12"
    one of another execution."""
    places = {}
    for name, reference in references.items():
        owner, _, seq = reference.rpartition(":")
        places[name] = (UUID(owner) if owner else run.pk, int(seq))
    if not places:
        return {}
    wanted = Q()
    for pk, number in sorted(set(places.values())):
        wanted |= Q(execution_id=pk, seq=number)
    rows = StepRun.objects.using(settings.DATABASE).filter(wanted)
    found = rows.values_list("execution_id", "seq", "output_text")
    texts = {(pk, number): text for pk, number, text in found}
    return {name: texts[place] for name, place in places.items() if place in texts}
