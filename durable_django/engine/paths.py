"""Visit paths: which visit of which node, through which blocks.

``polling[3]/poll`` is the node ``poll`` in the third iteration of the loop ``polling``; ``route#2``
the second visit of ``route``, after a jump back. A path says by itself which blocks it lies in, so
what is recorded can be read back without the code that wrote it.
"""

from __future__ import annotations

from collections.abc import Iterator


def node_name(path: str) -> str:
    """The node a path leads to: ``polling[3]/poll`` -> ``poll``, ``route#2`` -> ``route``."""
    return _name(path.rpartition("/")[2])


def chain_names(path: str) -> tuple[str, ...]:
    """The blocks on the way of a path, outermost first."""
    return tuple(_name(part) for part in path.split("/")[:-1])


def top_name(path: str) -> str:
    """The top-level node a path lies in, or is."""
    return _name(path.partition("/")[0])


def parent_path(path: str) -> str:
    """The visit of the enclosing block: ``polling[3]/poll`` -> ``polling[3]``; "" at the top."""
    return path.rpartition("/")[0]


def iteration_of(path: str) -> int | None:
    """The iteration of the innermost loop a path lies in, or is a test of; None outside loops.

    >>> iteration_of("months[2]/days[30]/send"), iteration_of("send")
    (30, None)
    """
    for part in reversed(path.split("/")):
        _, bracket, rest = part.partition("[")
        if bracket:
            return int(rest.rstrip("]"))
    return None


def in_iteration(path: str, number: int) -> str:
    """The path of a loop's visit in another iteration: ``polling[3]``, 4 -> ``polling[4]``."""
    head, slash, last = path.rpartition("/")
    return f"{head}{slash}{last.partition('[')[0]}[{number}]"


def closed_blocks(path: str, is_block: bool, next_path: str) -> tuple[str, ...]:
    """The blocks that end when a run goes from ``path`` to ``next_path``, innermost first.

    ``is_block`` says that the visit was of the block itself: a branch's choice, a loop's test.

    >>> closed_blocks("polling[3]/decide/pay", False, "polling[3]")
    ('decide',)
    >>> closed_blocks("polling[3]", True, "polling[4]/poll"), closed_blocks("polling[3]", True, "")
    ((), ('polling',))
    """
    left = _visits(path) if is_block else _visits(path)[:-1]
    kept = _visits(next_path)
    same = 0
    for mine, theirs in zip(left, kept, strict=False):
        if mine != theirs:
            break
        same += 1
    return tuple(part.partition("#")[0] for part in reversed(left[same:]))


def visits_on(path: str) -> Iterator[tuple[str, int]]:
    """Each block and node on a path with the number of its visit.

    >>> list(visits_on("polling[3]/poll#2"))
    [('polling', 1), ('polling[3]/poll', 2)]
    """
    before = ""
    for part in path.split("/"):
        head, _, number = part.partition("[")[0].partition("#")
        yield f"{before}{head}", int(number or 1)
        before = f"{before}{part}/"


def _visits(path: str) -> list[str]:
    """The parts of a path without iterations: each is one visit of a block or node."""
    return [part.partition("[")[0] for part in path.split("/")] if path else []


def _name(part: str) -> str:
    return part.partition("#")[0].partition("[")[0]
