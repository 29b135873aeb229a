"""What people call to run a run again from one of its nodes, and to see before what that would do.

Arguments are judged before anything is written. Both can be called inside the caller's transaction;
models are imported when a function runs, as in ``api``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

from . import api
from .definition import registry
from .definition.node import Node
from .engine import values
from .engine.ids import pk_of
from .store.options import UNSET, changes_given, node_given

if TYPE_CHECKING:
    from .api import ExecutionLike
    from .models import Execution


@dataclass(frozen=True, slots=True, kw_only=True)
class RerunPreview:
    """What ``rerun_from`` would do.

    ``asked`` is the node that was named, ``node`` where the new run begins: the outermost block
    around it, or itself. ``kept`` are the paths of the visits at the top level whose checkpoints
    the new run has, in order; ``again`` the nodes at the top level from ``node`` on, which are run
    again (a decision may come back to others). ``context`` is the run's data at that point.
    """

    asked: str
    node: str
    kept: tuple[str, ...]
    again: tuple[str, ...]
    context: dict[str, Any]

    @property
    def is_block(self) -> bool:
        """Whether more is run again than was named: all of the block around it."""
        return self.asked != self.node


def rerun_from(
    id: ExecutionLike,
    node: Node | str,
    *,
    input: Any = UNSET,
    context: Mapping[str, Any] | None = None,
    reason: str = "",
    by: Any = None,
) -> Execution:
    """Starts a new run of the same workflow and version that has the checkpoints of this one before
    ``node``, and goes on from there with the code as it is now; returns its Execution.

    ``node`` stands outside any block, or means the outermost block around it; of several visits the
    last counts. The new run has the input of the original, or ``input``, which is judged by
    ``clean_input``; its queue, priority and tags; and the workflow's timeout anew. ``context``
    overrides keys of the data at that point. What was sent to the original and not delivered before
    ``node`` is not sent again. ``by`` (a user or a string) and ``reason`` are told in the history
    of both runs.

    Raises ExecutionNotFound, WorkflowNotFound, ValueError for a node the run never came to (naming
    those it did), InvalidState for a run that has not ended, or where something before ``node`` was
    compensated, QueueNotFound, NotSerializable, PayloadTooLarge, whatever ``clean_input`` raises,
    and TypeError naming an argument.

    >>> durable.rerun_from(execution, "charge_payment", reason="new key")  # doctest: +SKIP
    """
    from .store import audit, rerunning, starting

    text = audit.checked(reason, by)
    changes = changes_given(context, "context")
    asked = rerunning.Asked(node_given(node), input, input is not UNSET, changes, text, by)
    run = rerunning.rerun(pk_of(id), asked)
    starting.tell_started(run.workflow_name, [run.pk])
    return run


def preview_rerun(id: ExecutionLike, node: Node | str) -> RerunPreview:
    """What ``rerun_from(id, node)`` would keep and run again. Writes nothing; raises as that does.

    >>> durable.preview_rerun(execution, "charge_payment").kept  # doctest: +SKIP
    ('validate', 'calculate_total')
    """
    from .store import rerunning

    name = node_given(node)
    plan = rerunning.plan(api.get_execution(id), name)
    top = [str(each.name) for each in plan.workflow.definition.top]
    texts = plan.rebuilt.state.context
    return RerunPreview(
        asked=name,
        node=plan.start.node,
        kept=plan.start.kept,
        again=tuple(top[top.index(plan.start.node) :]),
        context={key: values.decode(text) for key, text in texts.items()},
    )


def nodes_to_rerun_from(id: ExecutionLike) -> list[str]:
    """The nodes ``rerun_from`` can begin at, in the order in which the run came to them.

    Raises ExecutionNotFound, WorkflowNotFound, InvalidState for a run that has not ended.
    """
    from .store import rerunning

    run = api.get_execution(id)
    rerunning.check_can_rerun(run)
    definition = registry.get(run.workflow_name, run.version).definition
    return list(rerunning.starts_of(run, definition).possible)


arerun_from = sync_to_async(rerun_from)
anodes_to_rerun_from = sync_to_async(nodes_to_rerun_from)
apreview_rerun = sync_to_async(preview_rerun)
