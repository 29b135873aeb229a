"""Toy blocks: what a later kind of block has to write, and nothing more."""

from typing import Any, ClassVar

from durable_django.definition.blocks import Block
from durable_django.definition.node import Node


class Group(Block):
    """The simplest block there can be."""

    kind: ClassVar[str] = "group"


class Choice(Block):
    """A block whose children are made by itself, and whose cases take no name."""

    kind: ClassVar[str] = "choice"

    def case(self, value: str) -> "Case":
        if not self.is_open:
            raise self.mistake("a case belongs inside its choice")
        return Case(value)

    def admit(self, child: Node) -> None:
        if not isinstance(child, Case):
            raise child.mistake(f"a {child.kind} cannot stand directly in a choice")


class Case(Block):
    """One case of a Choice."""

    kind: ClassVar[str] = "case"
    needs_name: ClassVar[bool] = False

    def __init__(self, value: str) -> None:
        self.value = value
        super().__init__()

    @property
    def label(self) -> str:
        return f"case {self.value}"

    def structure(self, definition: Any) -> dict[str, Any]:
        return {**super().structure(definition), "value": self.value}


def group() -> Group:
    return Group()


def choice() -> Choice:
    return Choice()
