"""The nodes that say where a run goes: branch, decision, loop, sequence, parallel, race, foreach.

One door to all of them. Holds names only; each kind is at home in a module of its own.
"""

from durable_django.definition.branch import Branch, Case, branch
from durable_django.definition.decision import Decision, decision
from durable_django.definition.foreach import ForEach, foreach
from durable_django.definition.fork import Fork, Parallel, Race, parallel, race
from durable_django.definition.loop import Loop, Sequence, loop, sequence

__all__ = [
    "Branch",
    "Case",
    "Decision",
    "ForEach",
    "Fork",
    "Loop",
    "Parallel",
    "Race",
    "Sequence",
    "branch",
    "decision",
    "foreach",
    "loop",
    "parallel",
    "race",
    "sequence",
]
