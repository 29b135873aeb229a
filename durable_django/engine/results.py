"""What members of a fork leave behind, as values: the results of a foreach, and a failed member.

`Results` reads rows through a function that the models hand in; nothing here knows a database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, overload
from uuid import UUID

PAGE = 500
SHOWN = 5


@dataclass(frozen=True, slots=True)
class MemberFailure:
    """What stands for the output of a member that failed, with ``on_error="collect"``.

    ``type`` is the name of the exception's class, ``message`` its text.

    >>> [each for each in [1, MemberFailure("ValueError", "no")] if isinstance(each, MemberFailure)]
    [MemberFailure(type='ValueError', message='no')]
    """

    type: str
    message: str


class Results(Sequence[Any]):
    """The outputs of a foreach in item order, read from its strands' rows when they are looked at.

    Equal to a list of the same values. Iterating reads ``PAGE`` rows at a time.
    """

    __slots__ = ("_count", "_first", "kind")

    # (first id, start, stop) -> the values of these members; set by the models.
    read: ClassVar[Callable[[UUID, int, int], list[Any]]]

    def __init__(self, first: str, count: int, kind: str = "foreach") -> None:
        self._first = UUID(first)
        self._count = count
        self.kind = kind  # of the block that forked

    @property
    def first_id(self) -> UUID:
        """The id of the first member's row; the others follow it one by one."""
        return self._first

    @property
    def last_id(self) -> UUID:
        """The id of the last member's row."""
        return UUID(int=self._first.int + self._count - 1)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            start, stop, step = index.indices(self._count)
            if step == 1:
                return Results.read(self._first, start, max(start, stop))
            return [self[number] for number in range(start, stop, step)]
        number = index + self._count if index < 0 else index
        if not 0 <= number < self._count:
            raise IndexError(f"there are {self._count} results, none has the index {index}")
        return Results.read(self._first, number, number + 1)[0]

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, self._count, PAGE):
            yield from Results.read(self._first, start, min(start + PAGE, self._count))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Results) and other._first == self._first:
            return self._count == other._count
        if not isinstance(other, list | Results):
            return NotImplemented
        return self._count == len(other) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(repr(value) for value in self[:SHOWN])
        more = f", … {self._count - SHOWN} more" if self._count > SHOWN else ""
        return f"[{shown}{more}]"


def results_text(first_id: UUID, count: int, kind: str = "foreach") -> str:
    """The stored form of the results of a fork: which rows hold them, not their values."""
    return f'{{"$":["results","{first_id}",{count},"{kind}"]}}'
