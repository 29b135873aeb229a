"""Condition: what a branch or a loop asks of the run: a node's output, a callable or a context key.

Reads the run through its workflow object, and only when asked. What it was given is checked in the
class body; nothing here knows what the answer leads to.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeAlias

from asgiref.sync import iscoroutinefunction

from durable_django.definition.node import Node
from durable_django.exceptions import DefinitionError

if TYPE_CHECKING:
    from durable_django.definition.body import ClassBody

Given: TypeAlias = Node | Callable[[Any], Any] | str

_SHAPES = "a node of this workflow, a callable(self) or a context key (a string)"


@dataclass(frozen=True)
class Condition:
    """What is asked: `option` is its name in the class body (``"on"``), `given` what stands there;
    `may_yield` whether a generator may answer, as where many things are asked for.

    Example::

        Condition("on", "status").ask(workflow)  # workflow.context["status"]
    """

    option: str
    given: Given
    may_yield: bool = False

    def ask(self, workflow: Any) -> Any:
        """The answer of this run, now. KeyError for a context key or an output that is missing."""
        if isinstance(self.given, Node):
            return workflow.outputs[self.given.name]
        if isinstance(self.given, str):
            return workflow.context[self.given]
        return ask_callable(self.option, self.given, workflow)

    def structure(self) -> str:
        """What is asked, for people: a node's name, ``'context key "status"'``, ``"callable"``."""
        if isinstance(self.given, Node):
            return str(self.given.name)
        return f'context key "{self.given}"' if isinstance(self.given, str) else "callable"

    def check_given(self, asker: Node, body: ClassBody) -> None:
        """DefinitionError when `given` can be no condition of `asker`, made in `body`."""
        if isinstance(self.given, Node):
            if not self.given.in_plan:
                raise asker.mistake(
                    f"{self.option} is a {self.given.kind}, which gives no output; give {_SHAPES}"
                )
            if not body.has(self.given):
                raise asker.mistake(
                    f"{self.option} is a node of {self.given.owner}, whose output no run of "
                    f"{body.class_name} has; give a node of this workflow"
                )
        elif callable(self.given):
            fault = fault_of_callable(self.given, may_yield=self.may_yield)
            if fault is not None:
                raise asker.mistake(f"{self.option} {fault}")
        elif not isinstance(self.given, str):
            raise asker.mistake(f"{self.option} is {_SHAPES}, not {self.given!r:.80}")

    def fault_in_plan(
        self, nodes: Mapping[str, Node], fault_of: Callable[[Node], str | None]
    ) -> str | None:
        """Why the node asked cannot answer in the finished plan, as a sentence, or None.

        `fault_of` says why a node of the plan cannot have completed when the question is first
        asked, as the end of a sentence, or None.
        """
        if not isinstance(self.given, Node):
            return None
        asked = nodes.get(self.given.name or "")
        if asked is None:
            return f"{self.option} asks for {self.given.name}, which this class has taken out"
        fault = fault_of(asked)
        return f"{self.option} asks for {asked.name}, {fault}" if fault is not None else None


def checked_limit(node: Node, option: str, value: object) -> int:
    """`value` when it is a whole number of at least 1, else DefinitionError at `node`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise node.mistake(f"{option} is a whole number, not {value!r:.80}")
    if value < 1:
        raise node.mistake(f"{option} is at least 1, not {value}")
    return value


def mistake_in_plan(node: Node, fault: str, body: ClassBody) -> DefinitionError:
    """`fault` of `node` in the finished plan of `body`: told at the node, or, for one that the
    class only inherits, at the class that made it a fault.
    """
    if body.made(node):
        return node.mistake(fault)
    return body.mistake(f"in the {node.noun} {node.owner}.{node.label}, {fault}")


def ask_callable(option: str, function: Callable[[Any], Any], workflow: Any) -> Any:
    """What ``function(workflow)`` gives; TypeError for a coroutine, which nobody awaits here."""
    answer = function(workflow)
    if inspect.iscoroutine(answer):
        answer.close()
        raise TypeError(f"{option} gave a coroutine; it is asked without await")
    return answer


def fault_of_callable(function: Callable[..., Any], *, may_yield: bool = False) -> str | None:
    """Why `function` cannot be a callable(self), as the end of a sentence, or None.

    >>> fault_of_callable(lambda: 1)
    'takes other arguments than the one it is called with, the run: callable(self)'
    """
    called = function if inspect.isroutine(function) else type(function).__call__
    is_async = iscoroutinefunction(function) or iscoroutinefunction(called)
    if is_async or inspect.isasyncgenfunction(function):
        return "is an async def, and it is asked without await; make it a plain def"
    if inspect.isgeneratorfunction(function) and not may_yield:
        return "is a generator, which gives no answer; it returns one, it cannot yield"
    if not _takes_one(function):
        return "takes other arguments than the one it is called with, the run: callable(self)"
    return None


def _takes_one(function: Callable[..., Any]) -> bool:
    if isinstance(function, FunctionType):
        # Not inspect.signature(): it evaluates annotations on Python 3.14, which need not exist at
        # run time.
        code = function.__code__
        required = code.co_argcount - len(function.__defaults__ or ())
        takes_any = code.co_argcount >= 1 or bool(code.co_flags & inspect.CO_VARARGS)
        keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        return takes_any and required <= 1 and not {*keywords} - {*(function.__kwdefaults__ or ())}
    try:
        inspect.signature(function).bind(None)
    except ValueError:  # written in C, without a signature: the call will tell
        return True
    except TypeError:
        return False
    return True
