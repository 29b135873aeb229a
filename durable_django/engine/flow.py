"""Where a run goes next: into a block, on to the next node, out of a block, or to a jump's target.

Pure: nodes and paths in, paths out. It evaluates nothing; what was chosen is handed in. Inside a
fork nobody goes on: each member is a strand, which ends where the fork does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..exceptions import LoopLimitExceeded
from . import values
from .paths import in_iteration, is_joining, joining, node_name, number_in, parent_path
from .state import FORKS

if TYPE_CHECKING:
    from ..definition.definition import Definition
    from ..definition.node import Node

# How many visits each path has had, for nodes that a jump can visit again.
Visits = Mapping[str, int]


class Course:
    """The way on through one definition, keeping count of repeated visits, where there can be any
    (``counts``: there will be)."""

    def __init__(self, definition: Definition, visits: Visits, *, counts: bool = False) -> None:
        self.definition = definition
        self.visits = visits
        self.counts = counts or definition.has_jumps or has_revisited(visits)

    def begin(self) -> str:
        """The first visit of a run."""
        return self.enter(self.definition.top[0], "")

    def begin_strand(self, strand_path: str) -> str:
        """The first visit of a strand: of its member, or of the first node for its item. Where the
        code has no such node any more, the strand's own path."""
        node: Any = self.definition.nodes.get(node_name(strand_path))
        if node is None or (strand_path.endswith("]") and node.kind != "foreach"):
            return strand_path
        if strand_path.endswith("]"):
            return self.enter(node.children[0], f"{strand_path}/")
        outside = parent_path(strand_path)
        return self.enter(node, f"{outside}/" if outside else "")

    def enter(self, node: Node, prefix: str) -> str:
        """The first visit when ``node`` is entered; ``prefix`` is "" or ends with a slash."""
        block: Any = node
        path = self._numbered(f"{prefix}{node.name}")
        if node.kind == "loop":
            path = f"{path}[1]"
            return path if block.tests_first else self.enter(block.children[0], f"{path}/")
        if node.kind == "sequence":
            return self.enter(block.children[0], f"{path}/")
        return path

    def after(self, node: Node, path: str) -> str:
        """The visit after ``node``, visited at ``path``, is through; "" at the end of the run, or
        of the strand."""
        assert node.name is not None
        if node.block is not None and node.block.kind in ("parallel", "race"):
            return ""
        following = self.definition.next_of(node.name)
        outside = parent_path(path)
        if following is not None:
            prefix = f"{outside}/" if outside else ""
            return self.enter(self.definition.nodes[following], prefix)
        block: Any = node.block
        if block is None or block.kind == "foreach":
            return ""
        self._forget(outside)
        if block.kind == "case":
            block = block.block
        if block.kind == "loop":
            number = number_in(outside) or 1
            return in_iteration(outside, number + 1) if block.tests_first else outside
        return self.after(block, outside)

    def choose(self, branch: Any, path: str, label: str | None) -> str:
        """The visit after a branch has chosen the case ``label``; None: no case, it is skipped."""
        if label is None:
            return self.after(branch, path)
        case = branch.case_labelled(label)
        return self.enter(case.children[0], f"{path}/")

    def turn(self, loop: Any, path: str, another: bool) -> str:
        """The visit after a loop's test. Raises LoopLimitExceeded."""
        if not another:
            return self.after(loop, path)
        tested = number_in(path) or 1
        number = tested if loop.tests_first else tested + 1
        if number > loop.max_iterations:
            raise LoopLimitExceeded(
                f"the loop {loop.name} would begin iteration {number}; its max_iterations is "
                f"{loop.max_iterations}"
            )
        return self.enter(loop.children[0], f"{in_iteration(path, number)}/")

    def jump(self, decision: Any, path: str, target: str | None) -> str:
        """The visit a decision leads to. Raises TypeError for what is none of its targets, and
        LoopLimitExceeded."""
        if target is None:
            return self.after(decision, path)
        if target not in decision.to:
            allowed = ", ".join(decision.to)
            raise TypeError(
                f"{decision.name} gave {target!r}, which is none of its targets: {allowed}"
            )
        outside = parent_path(path)
        base = f"{outside}/{target}" if outside else target
        if self.visits.get(base, 0) >= decision.max_visits:
            raise LoopLimitExceeded(
                f"{decision.name} would visit {target} more than {decision.max_visits} times "
                "(its max_visits)"
            )
        return self.enter(self.definition.nodes[target], f"{outside}/" if outside else "")

    def _numbered(self, path: str) -> str:
        """``path`` with the number of this visit, from the second on."""
        if not self.counts:
            return path
        number = self.visits.get(path, 0) + 1
        self.visits = {**self.visits, path: number}
        return path if number == 1 else f"{path}#{number}"

    def _forget(self, outside: str) -> None:
        """The visits inside a block that has ended are not counted any more."""
        if self.visits:
            inside = f"{outside}/"
            self.visits = {p: n for p, n in self.visits.items() if not p.startswith(inside)}


def has_revisited(visits: Visits) -> bool:
    """Whether something was visited again: where the code cannot jump, since somebody has let the
    run go on at a node before."""
    return any(number > 1 for number in visits.values())


def following(
    definition: Definition, visits: Visits, node: Node, path: str, output: str
) -> tuple[str, Visits]:
    """The visit after ``node`` completed with ``output`` (encoded), and the counts of visits.

    Raises TypeError and LoopLimitExceeded for choices that cannot be followed.
    """
    course = Course(definition, visits)
    if node.kind == "branch":
        return course.choose(node, path, values.decode(output)), course.visits
    if node.kind == "loop":
        return course.turn(node, path, values.decode(output)), course.visits
    if node.kind == "decision":
        return course.jump(node, path, values.decode(output)), course.visits
    if node.kind in FORKS and not is_joining(path) and output != "[]":
        return joining(path), course.visits
    return course.after(node, path), course.visits


def named_chain(node: Node) -> tuple[str, ...]:
    """The named blocks around a node, outermost first: what its path goes through."""
    chain: list[str] = []
    block = node.block
    while block is not None:
        if block.name is not None:
            chain.append(block.name)
        block = block.block
    return tuple(reversed(chain))
