"""A run as a condition sees it: what was given to it, and nothing else."""

from typing import Any


class Run:
    """Stands for the workflow object of an attempt."""

    def __init__(self, context: Any = (), outputs: Any = ()) -> None:
        self.context = dict(context)
        self.outputs = dict(outputs)
