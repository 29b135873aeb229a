"""What the page of a workflow definition shows: its graph, its versions, and two of them side by
side with their difference. Read-only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.admin import AdminSite
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext

from ..conf import settings
from ..definition import registry
from ..exceptions import WorkflowNotFound
from ..graph import Change, Difference, Graph, diff, graph_of, mermaid
from ..graph.words import mark_word
from ..models import Execution, WorkflowDefinition
from ..showing.visible import visible
from . import badges
from .definition_runs import Code, Version, count_badges, newest

VERSIONS_MAX: Final = 50
VALUE_LENGTH_MAX: Final = 200


@dataclass(frozen=True)
class VersionView:
    """A version of the workflow, as one row of a table."""

    number: int
    address: str
    runs_address: str
    runs: list[str]
    compare_address: str
    is_this: bool
    has_code: bool
    stored_at: Any


@dataclass(frozen=True)
class Line:
    """One thing that two versions say differently: a badge, a node, and how its options differ."""

    badge: str
    name: str
    says: list[str]


@dataclass(frozen=True)
class Comparison:
    """Two versions side by side, the older one first."""

    before: WorkflowDefinition
    after: WorkflowDefinition
    before_graph: Graph
    after_graph: Graph
    lines: list[Line]


def runs_address(site: str, version: Version, **more: str) -> str:
    """The list of the runs of a version."""
    name = "admin:durable_django_execution_changelist"
    query = [("workflow", version.name), ("version", str(version.number)), *more.items()]
    return f"{reverse(name, current_app=site)}?{urlencode(query)}"


def start_address(site: AdminSite, request: HttpRequest, version: Version) -> str:
    """The form that starts this very version; "" where one may not, or it cannot be started."""
    executions: Any = site._registry.get(Execution)
    if executions is None or not executions.may_start(request):
        return ""
    try:
        if registry.get(version.name).definition.version != version.number:
            return ""  # what is started is the newest version
        address = reverse("admin:durable_django_execution_start", current_app=site.name)
    except (WorkflowNotFound, NoReverseMatch):
        return ""
    return f"{address}?{urlencode({'workflow': version.name})}"


def versions(
    row: WorkflowDefinition, runs: QuerySet[Execution] | None, code: Code, site: str
) -> tuple[list[VersionView], bool]:
    """The versions of a workflow, the newest first, with their runs; whether there are more runs
    than were counted. ``runs`` are those that one may see, None for none."""
    counts: dict[int, Counter[str]] = {}
    more = False
    if runs is not None:
        counts, more = newest(runs, row.name)
    rows = WorkflowDefinition.objects.using(settings.DATABASE).filter(name=row.name)
    found = rows.order_by("-version").defer("structure_text")[:VERSIONS_MAX]
    return [_version(each, row, counts, code, site, runs is not None) for each in found], more


def _version(
    each: WorkflowDefinition,
    row: WorkflowDefinition,
    counts: dict[int, Counter[str]],
    code: Code,
    site: str,
    may_see: bool,
) -> VersionView:
    version = Version(each.name, each.version)
    name = "admin:durable_django_workflowdefinition_change"
    return VersionView(
        number=each.version,
        address=reverse(name, args=[each.pk], current_app=site),
        runs_address=runs_address(site, version) if may_see else "",
        runs=count_badges(counts.get(each.version, {})),
        compare_address="" if each.pk == row.pk else f"?{urlencode({'with': each.version})}",
        is_this=each.pk == row.pk,
        has_code=code.has(version),
        stored_at=each.updated_at,
    )


def graph_with_links(row: WorkflowDefinition) -> Graph:
    """Its graph; each node leads to what the list of nodes says of it."""
    return graph_of(row.structure, link=lambda name: f"#node-{name}")


def graph_text(row: WorkflowDefinition) -> str:
    """Its graph in the language of Mermaid."""
    return visible(mermaid(row.structure))


def comparison(row: WorkflowDefinition, query: QueryDict) -> Comparison | None:
    """The version of ``row`` beside the one that is asked for: ``?with=1``."""
    asked = query.get("with", "")
    if not (asked.isascii() and asked.isdecimal() and len(asked) < 10):
        return None
    rows = WorkflowDefinition.objects.using(settings.DATABASE)
    other = rows.filter(name=row.name, version=int(asked)).exclude(pk=row.pk).first()
    if other is None:
        return None
    before, after = sorted((row, other), key=lambda each: each.version)
    found = diff(before.structure, after.structure)
    return Comparison(
        before,
        after,
        graph_of(before.structure, marks=found.marks_before),
        graph_of(after.structure, marks=found.marks_after),
        list(_lines(found)),
    )


def _lines(found: Difference) -> Iterator[Line]:
    if found.options:
        yield Line(_badge("changed"), gettext("The workflow itself"), _says(found.options))
    for key in found.added:
        yield Line(_badge("added"), visible(key), [])
    for key in found.removed:
        yield Line(_badge("removed"), visible(key), [])
    for key in found.moved:
        yield Line(_badge("moved"), visible(key), [])
    for key, changes in found.changed.items():
        yield Line(_badge("changed"), visible(key), _says(changes))


def _badge(mark: str) -> str:
    return badges.badge(mark, mark_word(mark))


def _says(changes: tuple[Change, ...]) -> list[str]:
    return [
        gettext("%(option)s: %(before)s → %(after)s")
        % {"option": visible(each.option), "before": _text(each.before), "after": _text(each.after)}
        for each in changes
    ]


def _text(value: Any) -> str:
    if value is None or value == "":
        return gettext("nothing")
    text = visible(str(value))
    return text if len(text) <= VALUE_LENGTH_MAX else f"{text[:VALUE_LENGTH_MAX]}…"
