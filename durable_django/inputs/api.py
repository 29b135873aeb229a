"""What people call to answer: ``provide_input`` and ``list_pending_inputs``.

Models are imported when a function runs, so that a project's own ``models.py`` may import this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from asgiref.sync import sync_to_async

from ..conf import settings
from ..definition.node import Node
from ..engine.ids import pk_of
from ..exceptions import ExecutionNotFound, InvalidState

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from ..models import Execution, PendingInput, Wait


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final[Any] = _Missing()
"""Stands for a value that was not given: None is one."""

NAMES_TOLD_MAX: Final = 10


def provide_input(
    id_or_pending_input: UUID | str | Execution | Wait,
    name: str | Node | None = None,
    value: Any = MISSING,
    *,
    by: Any = None,
    comment: str = "",
) -> None:
    """Gives a run the input it waits for; workers take it up when the transaction commits.

    With the id of an execution, the oldest input of that ``name`` in it is meant; ``name`` may be a
    node. A PendingInput needs no name. ``value`` is what the run gets: for a form a mapping of its
    fields, for an approval "approved", "rejected" or a boolean, for a choice one of its values.
    ``by`` is the user who answers, whose name is kept; without one, code answers, and nobody is
    asked whether it may. ``comment`` is kept beside it (10,000 bytes).

    Raises django's ValidationError with the form's messages (the run keeps waiting), django's
    PermissionDenied if ``by`` may not answer, InvalidState where nothing of that name is waited for
    (any more), ExecutionNotFound, NotSerializable, PayloadTooLarge.

    >>> durable.provide_input(run.id, "manager", "approved", by=request.user)  # doctest: +SKIP
    """
    from . import answering

    if value is MISSING:
        raise TypeError("provide_input needs a value: provide_input(id, name, value)")
    wait = _wait_of(id_or_pending_input, name)
    answering.record(answering.judged(wait, value, by, comment))


def list_pending_inputs(user: Any = None) -> QuerySet[PendingInput]:
    """A QuerySet of the inputs that are waited for, oldest first: all, or those that ``user`` may
    answer.

    >>> durable.list_pending_inputs(request.user).filter(name="manager")  # doctest: +SKIP
    """
    from ..models import PendingInput
    from .people import answerable_by

    rows = PendingInput.objects.using(settings.DATABASE).order_by("id")
    return rows if user is None else rows.filter(answerable_by(user))


aprovide_input = sync_to_async(provide_input)
alist_pending_inputs = sync_to_async(list_pending_inputs)


def _wait_of(asked: Any, name: str | Node | None) -> Wait:
    from ..models import Wait, WaitKind

    if not isinstance(asked, Wait):
        if name is None:
            raise TypeError("provide_input needs the name of the input: provide_input(id, name, …)")
        return _oldest(pk_of(asked), name)
    if asked.kind != WaitKind.INPUT:
        raise TypeError(f"provide_input takes a PendingInput, not {asked!r}")
    if name is not None and not _is_called(asked, name):
        raise ValueError(f'the input given is "{asked.name}", not {_told(name)}')
    return asked


def _is_called(wait: Wait, name: str | Node) -> bool:
    return wait.node == name.name if isinstance(name, Node) else wait.name == name


def _told(name: str | Node) -> str:
    return f'"{name.name}"' if isinstance(name, Node) else f'"{name}"'


def _oldest(pk: UUID, name: str | Node) -> PendingInput:
    waiting = list_pending_inputs().filter(execution_id=pk)
    if not isinstance(name, Node | str):
        raise TypeError(f"the name of an input is a string or a node, not {name!r}")
    found = waiting.filter(**_named(name)).first()
    if found is None:
        raise _nothing_asked(pk, name, waiting)
    return found


def _named(name: str | Node) -> dict[str, Any]:
    return {"node": name.name} if isinstance(name, Node) else {"name": name}


def _last(pk: UUID, name: str | Node) -> Wait | None:
    """The last input of that name that a run has waited for."""
    from ..models import Wait, WaitKind

    waits = Wait.objects.using(settings.DATABASE).select_related("member")
    found = waits.filter(execution_id=pk, kind=WaitKind.INPUT, **_named(name))
    return found.order_by("-id").first()


def _nothing_asked(pk: UUID, name: str | Node, waiting: QuerySet[PendingInput]) -> Exception:
    """What to raise where a run does not wait for an input of that name."""
    from ..models import Execution
    from ..models.execution import ExecutionKind
    from ..store.answering import refusal

    runs = Execution.objects.using(settings.DATABASE).filter(pk=pk, kind=ExecutionKind.WORKFLOW)
    status = runs.values_list("status", flat=True).first()
    if status is None:
        return ExecutionNotFound(f"no execution has the id {pk}")
    over = _last(pk, name)
    if over is not None:
        error = refusal(over)
        error.status = status
        return error
    names = list(dict.fromkeys(waiting.values_list("name", flat=True)[: NAMES_TOLD_MAX + 1]))
    more = ", …" if len(names) > NAMES_TOLD_MAX else ""
    listed = ", ".join(names[:NAMES_TOLD_MAX])
    instead = f"it waits for: {listed}{more}" if names else f"it is {status}, and waits for none"
    return InvalidState(
        f"execution {pk} does not wait for an input {_told(name)}: {instead}", status=status
    )
