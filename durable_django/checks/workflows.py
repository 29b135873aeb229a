"""Checks of the registered workflows against the settings and each other, which a class body must
not know.

They see what is declared; what a step waits for or calls is told when it does. None imports a
workflow: what is not registered is what nobody could start.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.core.checks import CheckMessage, Error

from ..callbacks import INCLUDE, path_of
from ..definition import registry
from ..definition.spelling import did_you_mean
from ..definition.wait_nodes import CallbackWait, ChildNode
from ..exceptions import WorkflowNotFound
from .values import is_left_out, valid

if TYPE_CHECKING:
    from ..definition.workflow import Workflow


def check_workflows(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """E011 to E014: queues, what callbacks need, and the names of called workflows."""
    return [
        message
        for cls in registry.all()
        for check in (_check_queue, _check_callbacks, _check_called)
        for message in check(cls)
    ]


def _check_queue(cls: type[Workflow]) -> Iterator[CheckMessage]:
    """Where ``QUEUES`` names queues, a workflow's queue is one of them or "default"."""
    queues, queue = valid("QUEUES"), cls.definition.options.queue
    if not queues or queue in (known := sorted({*queues, "default"})):
        return
    yield Error(
        f'Meta.queue is "{queue}", which DURABLE["QUEUES"] does not name'
        f"{did_you_mean(queue, known) or '.'}",
        hint=f"The queues are {', '.join(known)}.",
        obj=_name_of(cls),
        id="durable_django.E011",
    )


def _check_callbacks(cls: type[Workflow]) -> Iterator[CheckMessage]:
    nodes = cls.definition.nodes.values()
    names = ", ".join(str(node.name) for node in nodes if isinstance(node, CallbackWait))
    if not names:
        return
    if is_left_out("BASE_URL"):
        yield Error(
            f'It waits for a callback ({names}), and DURABLE["BASE_URL"] is not set: '
            "self.callback_url() could give no URL.",
            hint='Like "BASE_URL": "https://shop.example".',
            obj=_name_of(cls),
            id="durable_django.E012",
        )
    if path_of("token") is None:
        yield Error(
            f"It waits for a callback ({names}), and the URLs of durable_django are not included: "
            "nobody could call back.",
            hint=f"Add {INCLUDE} to urlpatterns in ROOT_URLCONF.",
            obj=_name_of(cls),
            id="durable_django.E013",
        )


def _check_called(cls: type[Workflow]) -> Iterator[CheckMessage]:
    for node in cls.definition.nodes.values():
        wanted = node.workflow if isinstance(node, ChildNode) else None
        if not isinstance(wanted, str) or wanted == "self":
            continue
        try:
            registry.get(wanted)
        except WorkflowNotFound:
            known = sorted({other.definition.name for other in registry.all()})
            yield Error(
                f'{node.name} starts "{wanted}", and no workflow of that name is registered'
                f"{did_you_mean(wanted, known) or '.'}",
                hint=f"The workflows are {', '.join(known)}; is its app in INSTALLED_APPS?",
                obj=_name_of(cls),
                id="durable_django.E014",
            )


def _name_of(cls: type[Workflow]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
