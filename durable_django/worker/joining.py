"""The visit that joins the members of a fork: reads what they left, runs no code of the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..engine import joining, values
from ..engine.current import current_attempt
from ..engine.machine import Outcome, error_of
from ..engine.results import Results
from ..exceptions import ContextConflict, NotSerializable
from ..store.joining import read_members

if TYPE_CHECKING:
    from .attempt import Attempt


def join_members(attempt: Attempt) -> Outcome:
    """What the block gives. An error of the database is raised: the join is then made again."""
    run = attempt.run
    if run.state.reopens:
        return Outcome("cancelled")
    block: Any = attempt.node
    results: Results = values.decode(run.state.fork)
    found = read_members(run.id, results, only_telling=block.kind == "foreach")
    try:
        outcome = joining.join(block, run.state.fork, found.members, len(results), found.failures)
        if outcome.status != "completed":
            return outcome
        conflict = joining.conflict([m for m in found.members if m.status == "completed"])
        if conflict is not None:
            _tell(attempt, conflict)
        attempt.transition(outcome)
        return outcome
    except (ContextConflict, NotSerializable, TypeError) as error:
        # What members did to one key does not go together.
        return Outcome("failed", error=error_of(error, attempt.step_name, ""), fatal=True)


def _tell(attempt: Attempt, conflict: ContextConflict) -> None:
    """A warning in the log of the join; under the test kit it fails."""
    if attempt.run.is_strict:
        raise conflict
    token = current_attempt.set(attempt)
    try:
        attempt.logger.warning("ContextConflict: %s", conflict)
    finally:
        current_attempt.reset(token)
