"""WorkflowMeta: how a class body becomes a class with a Definition, and is registered.

Finds the mistakes that only the whole class shows; those of single names are told by its ClassBody.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any, NamedTuple, NoReturn, cast

from durable_django.definition import registry
from durable_django.definition.body import ClassBody
from durable_django.definition.compensation import Compensation, merge_compensations
from durable_django.definition.definition import Definition
from durable_django.definition.inheritance import merge, named
from durable_django.definition.names import RUN_NAMES
from durable_django.definition.nodes import Node
from durable_django.definition.options import Options, read_options
from durable_django.exceptions import DefinitionError


class _Plan(NamedTuple):
    """What a class hands down to those that extend it. An abstract class has one too."""

    top: tuple[Node, ...] = ()
    nodes: Mapping[str, Node] = {}
    compensations: Mapping[str, Compensation] = {}
    options: Options = Options()
    definition: Definition | None = None

    @property
    def named(self) -> dict[str, Node]:
        """Everything that has a name of its own: the nodes, then what undoes them."""
        return _with_compensations(self.nodes, self.compensations)


class WorkflowMeta(type):
    """Reads the class body of a workflow. Its mistakes are DefinitionErrors with file and line."""

    _plan: _Plan = _Plan()
    # A template that is given a workflow class shows it; without this it would call it.
    do_not_call_in_templates: bool = True

    @classmethod
    def __prepare__(cls, name: str, bases: tuple[type, ...], /, **kwargs: Any) -> dict[str, object]:
        if not _extends_workflow(bases):
            return {}  # Workflow itself
        return _body_for(name, bases, sys._getframe(1))

    def __new__(
        cls, name: str, bases: tuple[type, ...], body: dict[str, Any], /, **kwargs: Any
    ) -> WorkflowMeta:
        if not _extends_workflow(bases):
            return super().__new__(cls, name, bases, body, **kwargs)
        if not isinstance(body, ClassBody):  # type("Variant", (Base,), {…})
            given, body = body, _body_for(name, bases, sys._getframe(1))
            for key, value in given.items():
                body[key] = value
        body.setdefault("__module__", sys._getframe(1).f_globals.get("__name__", "__main__"))
        body.check_complete()
        base = _base_of(bases, body)._plan
        default_name = registry.default_name(body["__module__"], name)
        options = read_options(body, base.options, default_name)
        top = merge(base.top, body)
        nodes = named(top)
        if not nodes and not options.abstract:
            raise body.mistake("a workflow without a node does nothing; give it a step")
        compensations = merge_compensations(base.compensations, nodes, body)
        found = _with_compensations(nodes, compensations)
        # Copies of the base's nodes; what is shared with the base is found there, as any attribute.
        changed = {key: node for key, node in found.items() if body.inherited.get(key) is not node}
        gone = dict.fromkeys(body.inherited.keys() - found.keys())
        made = super().__new__(cls, name, bases, {**body, **changed, **gone}, **kwargs)
        _check_not_hidden(made, found, body)
        for node in nodes.values():
            node.check_plan(nodes, body)
        for node in (*top, *compensations.values()):
            node.seal()
        definition = (
            None if options.abstract else Definition(cast(Any, made), options, top, compensations)
        )
        plan = _Plan(top, nodes, compensations, options, definition)
        type.__setattr__(made, "_plan", plan)
        if definition is not None:
            registry.register(definition.workflow, filename=body.filename, line=body.line)
        return made

    @property
    def definition(cls) -> Definition:
        """The frozen description of the class. AttributeError for an abstract one."""
        if cls._plan.definition is None:
            raise AttributeError(f"{cls.__qualname__} is abstract, so it has no definition")
        return cls._plan.definition

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        name = cls.__name__
        raise TypeError(
            f"{name}() makes no workflow: a run is started with {name}.start(input); in a test, "
            f"use durable_django.testing.run({name}, input), or run_step({name}.<step>) for one "
            "step alone"
        )

    def __setattr__(cls, name: str, value: object) -> None:
        if isinstance(value, Node) or name in cls._plan.named:
            raise _too_late(cls, name, "set")
        super().__setattr__(name, value)

    def __delattr__(cls, name: str) -> None:
        if name in cls._plan.named:
            raise _too_late(cls, name, "deleted")
        super().__delattr__(name)


def _with_compensations(
    nodes: Mapping[str, Node], compensations: Mapping[str, Compensation]
) -> dict[str, Node]:
    return {**nodes, **{made.name or "": made for made in compensations.values()}}


def _extends_workflow(bases: tuple[type, ...]) -> bool:
    return any(isinstance(base, WorkflowMeta) for base in bases)


def _body_for(name: str, bases: tuple[type, ...], frame: FrameType) -> ClassBody:
    body = ClassBody(name, frame.f_code.co_filename, frame.f_lineno)
    base = _base_of(bases, body)
    body.inherited = base._plan.named
    body.ancestors = tuple(cls._plan.nodes for cls in base.__mro__ if isinstance(cls, WorkflowMeta))
    _check_mixins(bases, body)
    return body


def _base_of(bases: tuple[type, ...], body: ClassBody) -> WorkflowMeta:
    """The one workflow class among the bases; class W(Base, Workflow) has one too."""
    found = [base for base in bases if isinstance(base, WorkflowMeta)]
    nearest = [b for b in found if not any(o is not b and issubclass(o, b) for o in found)]
    if len(nearest) > 1:
        names = " and ".join(base.__name__ for base in nearest)
        raise body.mistake(
            f"it extends {names}, and a workflow extends one workflow class, since two plans have "
            "no order between them; share code through a mixin that is no workflow"
        )
    return nearest[0]


def _check_mixins(bases: tuple[type, ...], body: ClassBody) -> None:
    plain = (cls for base in bases if not isinstance(base, WorkflowMeta) for cls in base.__mro__)
    for cls in plain:
        for name, value in vars(cls).items():
            if isinstance(value, Node):
                raise body.mistake(
                    f"{cls.__name__}.{name} is a {value.noun}, but {cls.__name__} is no workflow "
                    "class; a mixin holds plain methods, nodes belong into a class that extends "
                    "Workflow"
                )
            if name in RUN_NAMES:
                raise body.mistake(
                    f"{cls.__name__}.{name} would take the place of what every workflow has under "
                    "that name; give it another one"
                )
            if name == "Meta":
                raise body.mistake(
                    f"{cls.__name__}.Meta would be read by nobody, since {cls.__name__} is no "
                    f"workflow class; write class Meta({cls.__name__}.Meta) in {body.class_name}"
                )


def _check_not_hidden(cls: type, nodes: Mapping[str, Node], body: ClassBody) -> None:
    for name, node in nodes.items():
        if inspect.getattr_static(cls, name) is not node:
            hider = next(base for base in cls.__mro__ if name in vars(base))
            raise body.mistake(
                f"{hider.__name__}.{name} hides the {node.noun} of {node.owner}, which would then "
                "never run; rename it, or redefine the node in the class itself"
            )


def _too_late(cls: type, name: str, done: str) -> DefinitionError:
    frame = sys._getframe(2)
    return DefinitionError(
        f"{cls.__name__}.{name} is {done} after the class was complete, and its plan cannot change "
        "any more; nodes are written in the class body, and a subclass may redefine them",
        filename=frame.f_code.co_filename,
        line=frame.f_lineno,
    )
