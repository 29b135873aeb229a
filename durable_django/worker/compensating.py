"""An attempt at a compensation: like any other, but it sees what the visit saw that it undoes.

It has its own retry; one that fails for good does not stop the rest of the rollback.
"""

from __future__ import annotations

from django.utils.functional import cached_property

from ..conf import settings
from ..engine import machine
from ..engine.context import Context
from ..engine.flow import has_revisited
from ..engine.machine import COMPENSATION, Outcome, Transition, Visit
from ..engine.outputs import Outputs
from ..engine.rollback import Undo
from ..models.reading import off_loop, output_text
from ..store.rollback import Scope, scope_of
from .attempt import Attempt
from .run import Run


class Undoing(Attempt):
    """An attempt at a compensation: ``self`` sees what the visit saw, and the run's context."""

    @property
    def _undo(self) -> Undo:
        assert self.visit.undoes is not None
        return self.visit.undoes

    @cached_property
    def _scope(self) -> Scope:
        run, undo = self.run, self._undo
        jumps = run.definition.has_jumps or has_revisited(run.state.visits)
        return off_loop(lambda: scope_of(run.id, run.state, undo, jumps))

    @cached_property
    def context(self) -> Context:
        return Context(self._scope.context, settings.MAX_PAYLOAD_BYTES)

    @cached_property
    def outputs(self) -> Outputs:
        seen = self._scope.state._replace(
            outputs=self._scope.outputs, references={}, inherited=self._scope.state
        )
        owner = self._undo.execution_id
        return Outputs(seen, lambda reference: output_text(owner, reference))

    @property
    def item_text(self) -> str | None:
        return self._scope.item_text

    @property
    def number_of_item(self) -> int | None:
        return self._scope.number

    def transition(self, outcome: Outcome) -> Transition:
        """What ``outcome`` does to the rollback."""
        if self._transition is None or self._transition[0] is not outcome:
            assert self.run.rollback is not None
            following = self.run.rollback.cursor_after(self._undo)
            undoes = self._undo.cursor
            made = machine.advance_rollback(self.run.state, outcome, undoes, following)
            self._transition = (outcome, made)
        return self._transition[1]


def attempt_at(run: Run, visit: Visit) -> Attempt:
    """The attempt of a visit, whichever kind it is."""
    return Undoing(run, visit) if visit.node.kind == COMPENSATION else Attempt(run, visit)
