"""What a step sees as ``self.outputs``: node name -> what it gave, read-only and decoded on access.

Pure: large outputs that stand in a step run's row are fetched through a function handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from . import values
from .state import RunState


class Outputs(Mapping[str, Any]):
    """A read-only mapping; a node that has not completed is a KeyError naming it. A strand sees its
    own nodes, then its parent's as they were at the fork."""

    __slots__ = ("_fetch", "_live", "_state")

    def __init__(self, state: RunState, fetch: Callable[[str], str]) -> None:
        self._state = state
        self._fetch = fetch
        self._live: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name in self._live:
            return self._live[name]
        for state in self._states():
            if name in state.outputs:
                text = state.outputs[name]
            elif name in state.references:
                text = self._fetch(state.references[name])
            else:
                continue
            value = self._live[name] = values.decode(text)
            return value
        raise KeyError(f"node {name!r} has not completed")

    def _states(self) -> Iterator[RunState]:
        state: RunState | None = self._state
        while state is not None:
            yield state
            state = state.inherited

    def __contains__(self, name: object) -> bool:
        return any(name in state.outputs or name in state.references for state in self._states())

    def __iter__(self) -> Iterator[str]:
        for state in reversed(list(self._states())):
            inherited = Outputs(state.inherited, self._fetch) if state.inherited else ()
            yield from (name for name in state.references if name not in inherited)
            for name in state.outputs:
                if name not in state.references and name not in inherited:
                    yield name

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<Outputs of {', '.join(self) or 'no node yet'}>"


class ReadOnlyInput(dict[str, Any]):
    """The start input: a dict that refuses to be changed, since the change would be lost."""

    def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError('self.input is read-only: put what changes into self.context["…"]')

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = _refuse
    __ior__ = _refuse


def read_only(value: Any) -> Any:
    """``value`` for ``self.input``; only a dict can be, and need be, guarded."""
    return ReadOnlyInput(value) if type(value) is dict else value
