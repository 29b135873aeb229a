"""ClassBody: the namespace in which a workflow's class body runs.

It hears of every node that is made, names it when it is assigned, knows which blocks are open, and
tells mistakes with file and line. All of it lives in the namespace and nothing in a global, so a
class body that raises leaves nothing behind.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from durable_django.definition.names import fault_of_node_name, fault_of_plain_name
from durable_django.definition.node import Node
from durable_django.exceptions import DefinitionError

if TYPE_CHECKING:
    from durable_django.definition.blocks import Block


@dataclass(frozen=True)
class Place:
    """Where in the source a node is made, and in which class body."""

    body: ClassBody
    filename: str
    line: int


class ClassBody(dict[str, Any]):
    """What the metaclass gives a class body to write its names into.

    `inherited` are the base's nodes and compensations by name, `ancestors` the nodes of the base
    and of each class it extends; `top` the nodes made outside any block, in order; `beside` those
    that have no place in the order (compensations); `nodes` all named ones by name.
    """

    def __init__(self, class_name: str, filename: str, line: int) -> None:
        super().__init__()
        self.class_name = class_name
        self.filename = filename
        self.line = line
        self.meta_line = line
        self.inherited: Mapping[str, Node] = {}
        self.ancestors: tuple[Mapping[str, Node], ...] = ()
        self.top: list[Node] = []
        self.beside: list[Node] = []
        self.nodes: dict[str, Node] = {}
        self._made: list[Node] = []
        self._open: list[Block] = []
        self._deleted: DefinitionError | None = None

    # Blocks

    @property
    def open_block(self) -> Block | None:
        """The innermost block whose `with` is being run, or None."""
        return self._open[-1] if self._open else None

    def enter(self, block: Block) -> None:
        """The `with` of `block` begins: nodes made from here on are its children."""
        self._open.append(block)

    def leave(self, block: Block) -> None:
        """The `with` of `block` ends."""
        if self.open_block is not block:
            raise block.mistake(f"a {block.kind} was closed while a block inside it was still open")
        self._open.pop()

    def add(self, node: Node) -> int:
        """A node was made. Returns its number in this body."""
        self._made.append(node)
        if not node.in_plan:
            self.beside.append(node)
        elif node.block is None:
            self.top.append(node)
        else:
            node.block.adopt(node)
        return len(self._made)

    def made(self, node: Node) -> bool:
        """Whether this body made `node`."""
        return any(node is made for made in self._made)

    def has(self, node: Node) -> bool:
        """Whether `node` is one of this body's, or of a class it extends."""
        return self.made(node) or any(
            nodes.get(node.name or "") is node for nodes in self.ancestors
        )

    # Names

    def __setitem__(self, name: str, value: Any) -> None:
        frame = _first_outside_package(sys._getframe(1))
        if isinstance(value, Node):
            self._name_node(name, value, frame)
        else:
            self._check_plain(name, value, frame)
        super().__setitem__(name, value)

    def __delitem__(self, name: str) -> None:
        if not isinstance(self.get(name), Node):
            super().__delitem__(name)
        elif self._deleted is None:
            # Kept for the end: Python makes a NameError of whatever is raised inside a `del`.
            self._deleted = self._mistake_at(
                sys._getframe(1),
                name,
                f"del takes the {self[name].noun} out of the class but not out of the plan; "
                "do not make it in the first place",
            )

    def _name_node(self, name: str, node: Node, frame: FrameType) -> None:
        if not self.made(node):
            raise self._mistake_at(
                frame,
                name,
                f"is a node of {node.owner}, and a node belongs to one class; "
                f"extend {node.owner}, or write a node of your own",
            )
        if not node.needs_name:
            raise self._mistake_at(
                frame, name, f"names a {node.noun}, which takes no name; take the name away"
            )
        if node.name == name:
            return
        if node.name is not None:
            raise self._mistake_at(
                frame,
                name,
                f"is a second name for {node.name}; a node has one name, and its work in the "
                "database is found by it",
            )
        fault = fault_of_node_name(name)
        if fault is not None:
            raise DefinitionError(
                f'{self.class_name}: the name "{name}" of a {node.noun} {fault}',
                filename=node.filename,
                line=node.line,
            )
        self._check_first_use(name, node)
        node.name = name
        self.nodes[name] = node

    def _check_first_use(self, name: str, node: Node) -> None:
        if name not in self:
            return
        earlier = self[name]
        told = (
            f"it names the {earlier.noun} of line {earlier.line} already"
            if isinstance(earlier, Node)
            else "the class body assigns it already"
        )
        raise DefinitionError(
            f'{self.class_name}: the name "{name}" of a {node.noun} is taken: {told}; '
            "names are unique in the whole workflow, also across blocks",
            filename=node.filename,
            line=node.line,
        )

    def _check_plain(self, name: str, value: object, frame: FrameType) -> None:
        self._check_no_hidden_step(name, value)
        earlier = self.get(name)
        if isinstance(earlier, Node):
            raise self._mistake_at(
                frame, name, f"is the {earlier.noun} of line {earlier.line} and is overwritten here"
            )
        if name in self.inherited and value is not None:
            raise self._mistake_at(frame, name, _hides(self.inherited[name]))
        fault = fault_of_plain_name(name)
        if fault is not None:
            raise self._mistake_at(frame, name, fault)
        self._check_meta(name, value, frame)

    def _check_no_hidden_step(self, name: str, value: object) -> None:
        """`@plain` above `@step` assigns something that is no node, under the name of the step's
        function.
        """
        for node in self._made:
            if node.needs_name and node.name is None and node.label == name:
                what = type(value).__name__
                wrapper = f"@{what}" if isinstance(value, _BINDERS) else "the decorator above it"
                raise node.mistake(
                    f"{wrapper} hides the {node.noun}, so it would never run; {node.decorator} "
                    "comes first, above every other decorator"
                )

    def _check_meta(self, name: str, value: object, frame: FrameType) -> None:
        if name == "Meta":
            self.meta_line = frame.f_lineno
            if not isinstance(value, type):
                raise self._mistake_at(frame, name, "is not a class; write class Meta: …")
        elif name.lower() == "meta" and isinstance(value, type):
            raise self._mistake_at(frame, name, "is read by nobody; it is spelled class Meta")

    def _mistake_at(self, frame: FrameType, name: str, message: str) -> DefinitionError:
        return DefinitionError(
            f"{self.class_name}.{name} {message}",
            filename=frame.f_code.co_filename,
            line=frame.f_lineno,
        )

    # The end

    def mistake(self, message: str, line: int | None = None) -> DefinitionError:
        """A DefinitionError about the class as a whole."""
        return DefinitionError(
            f"{self.class_name}: {message}", filename=self.filename, line=line or self.line
        )

    def check_complete(self) -> None:
        """The class body ended. DefinitionError for a node without a name or a block left open."""
        if self._deleted is not None:
            raise self._deleted
        if self._open:
            raise self._open[-1].mistake("the class body ended while this block was open")
        for node in self._made:
            node.check_complete()


_BINDERS = (staticmethod, classmethod, property)


def _hides(node: Node) -> str:
    return (
        f"hides the {node.noun} of {node.owner}, which would then never run; "
        f"{node.redefining} to redefine it, or {node.name} = None to take it out"
    )


def find_place(kind: str) -> Place:
    """Where the node being made stands: the nearest class body up the stack, which must be a
    workflow's.

    DefinitionError when it is another class's, or none. A function called in a class body may make
    nodes, so the search passes through functions.
    """
    frame: FrameType | None = sys._getframe(1)
    caller = _first_outside_package(sys._getframe(1))
    while frame is not None:
        # The locals of a function are no namespace, and asking for them is slow and has side
        # effects.
        if not frame.f_code.co_flags & inspect.CO_OPTIMIZED:
            if isinstance(frame.f_locals, ClassBody):
                return Place(frame.f_locals, frame.f_code.co_filename, frame.f_lineno)
            if "__qualname__" in frame.f_locals:
                raise _outside(
                    kind, caller, f"in {frame.f_code.co_name}, which is no workflow class"
                )
            if frame.f_locals is frame.f_globals:
                break
        frame = frame.f_back
    raise _outside(kind, caller, "outside a class")


def _first_outside_package(frame: FrameType) -> FrameType:
    package = __name__.rpartition(".")[0] + "."
    while frame.f_globals.get("__name__", "").startswith(package) and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _outside(kind: str, frame: FrameType, where: str) -> DefinitionError:
    return DefinitionError(
        f"a {kind} stands {where}; nodes belong directly into the body of a class that extends "
        "Workflow (Meta.abstract = True for one that is only a base)",
        filename=frame.f_code.co_filename,
        line=frame.f_lineno,
    )
