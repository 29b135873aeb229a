"""The nodes that say where a run goes: branch, decision, loop, sequence. One door to all of them.

Holds names only; each kind is a module of its own.
"""

from durable_django.definition.branch import Branch, Case, branch
from durable_django.definition.decision import Decision, decision
from durable_django.definition.loop import Loop, Sequence, loop, sequence

__all__ = [
    "Branch",
    "Case",
    "Decision",
    "Loop",
    "Sequence",
    "branch",
    "decision",
    "loop",
    "sequence",
]
