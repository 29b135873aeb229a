"""Traces: which arrows of a graph a run has taken.

`ways` are between nodes that stand in one sequence; what leads into a block, or back to a loop,
follows from the states of its nodes.
"""

from __future__ import annotations

from .layout import BEGIN, END
from .routes import Route
from .states import States


def is_taken(route: Route, states: States) -> bool:
    """Whether the run went along this arrow."""
    if route.start == BEGIN:
        return _was_reached(route.end, states)
    if route.end == END:
        return states.status == "completed" and _was_reached(route.start, states)
    if route.kind == "enter":
        return _was_reached(route.end, states)
    if route.kind == "back" and states.nodes.get(route.end) is not None:
        return states.nodes[route.end].iterations > 1 or (route.start, route.end) in states.ways
    return (route.start, route.end) in states.ways


def _was_reached(key: str, states: States) -> bool:
    state = states.nodes.get(key)
    return state is not None and bool(state.status)
