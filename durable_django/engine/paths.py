"""Visit paths: which visit of which node, through which blocks.

``polling[3]/poll`` is the node ``poll`` in the third iteration of the loop ``polling``;
``sending[17]/send`` is ``send`` in the item with index 17 of the foreach ``sending``; ``route#2``
is the second visit of ``route``, after a jump back; ``sending`` the visit that forks and
``sending[]`` the one that joins. A path says by itself which blocks it lies in, so what is recorded
can be read back without the code that wrote it.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

# Ends the path of the visit at which the members of a fork are joined: ``sending[]``.
JOIN = "[]"


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


def number_in(path: str, names: Container[str] | None = None) -> int | None:
    """The iteration of the innermost loop a path lies in, or the index of the innermost item;
    ``names`` says which blocks count. None if it lies in none.

    >>> number_in("months[2]/days[30]/send"), number_in("send")
    (30, None)
    >>> number_in("months[2]/days[30]/send", {"months"})
    2
    """
    for part in reversed(path.split("/")):
        _, bracket, rest = part.partition("[")
        if bracket and rest != "]" and (names is None or _name(part) in names):
            return int(rest.rstrip("]"))
    return None


def item_scope(path: str, foreach: Container[str]) -> str:
    """The item a path lies in, as the beginning of all paths in that item, "" outside of one;
    ``foreach`` are the names of those blocks.

    >>> item_scope("months[2]/days[30]/decide/pay", {"days"}), item_scope("pay", {"days"})
    ('months[2]/days[30]/', '')
    """
    parts = path.split("/")
    for last in range(len(parts) - 1, -1, -1):
        _, bracket, rest = parts[last].partition("[")
        if bracket and rest != "]" and _name(parts[last]) in foreach:
            return "/".join(parts[: last + 1]) + "/"
    return ""


def joining(path: str) -> str:
    """The visit at which the members forked at ``path`` are joined."""
    return f"{path}{JOIN}"


def is_joining(path: str) -> bool:
    """Whether the visit at ``path`` joins the members of a fork."""
    return path.endswith(JOIN)


def fork_of(strand_path: str) -> str:
    """The visit that forked the strand: ``sending[17]`` -> ``sending``, ``fetch/user`` ->
    ``fetch``."""
    if strand_path.endswith("]"):
        return strand_path.rpartition("[")[0]
    return parent_path(strand_path)


def visit_of(path: str, name: str) -> str:
    """The visit of the node or block ``name`` on a path, without iteration.

    >>> visit_of("route#2/polling[3]/poll", "polling"), visit_of("sending[]", "sending")
    ('route#2/polling', 'sending')
    """
    parts = path.split("/")
    while len(parts) > 1 and _name(parts[-1]) != name:
        parts.pop()
    parts[-1] = parts[-1].partition("[")[0]
    return "/".join(parts)


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
