"""The tab of the graph: the plan of the run with where it stands, and its time line below."""

from __future__ import annotations

from itertools import chain
from typing import Any, Final

from django.core.paginator import Paginator

from ...graph import graph_of, mermaid, read_states
from ...showing.visible import visible
from ..run_request import RunRequest
from ..timeline import Lane, timeline_of
from ..timeline_rows import read_lanes

LANES_PER_PAGE: Final = 100


def context(page: RunRequest) -> dict[str, Any]:
    """The graph of the version that ran, None where its definition is not known, with its text in
    the language of Mermaid, and the time line."""
    structure = page.structure
    graph, graph_text = None, ""
    if structure is not None:
        states = read_states(page.run, structure)
        graph = graph_of(structure, states, lambda name: page.tab_address("steps", node=name))
        graph_text = visible(mermaid(structure, states))
    lanes, is_partial = read_lanes(page)
    rows = Paginator(lanes, LANES_PER_PAGE).get_page(page.request.GET.get("lanes"))
    shown: list[Lane] = list(rows)
    begun = [span.start for span in chain.from_iterable(lane.spans for lane in lanes)]
    # A run that was made of another one has steps older than itself.
    first = min(begun, default=page.run.created_at)
    start = first if is_partial else min(first, page.run.created_at)
    end = page.run.finished_at or page.now
    return {
        "graph": graph,
        "graph_text": graph_text,
        "timeline": timeline_of(shown, start, end, page.now) if shown else None,
        "lanes": rows,
        "is_partial": is_partial,
    }
