"""The graph of a workflow: its stored structure, drawn as an SVG, with the state of a run in it.

Pure but for `reading`, which asks the database where a run stands. It knows nothing of the admin:
addresses are handed in, colours come from whoever shows it.
"""

from .diff import Change, Difference, diff
from .drawing import Graph, graph_of
from .mermaid import mermaid
from .reading import read_states
from .standalone import svg_text
from .states import NodeState, States

__all__ = [
    "Change",
    "Difference",
    "Graph",
    "NodeState",
    "States",
    "diff",
    "graph_of",
    "mermaid",
    "read_states",
    "svg_text",
]
