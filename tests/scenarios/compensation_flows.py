"""Random nested workflows in which every node has a compensation, and what each visit completes.

A tree is nested tuples; `Saga` writes the class, and walks the tree as a person would to tell which
blocks end with which visit. In what order members run is not told: that is read from the rows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from hypothesis import strategies as st

from durable_django import (
    Fatal,
    RetryAfter,
    Workflow,
    branch,
    decision,
    foreach,
    loop,
    parallel,
    race,
    sequence,
    step,
)

Tree = tuple[Any, ...]
STEP = st.just(("step",))
DECISION = st.tuples(st.just("decision"), st.integers(-3, 3).filter(bool))
ON_ERROR = st.sampled_from(["fail_fast", "collect"])


def trees(depth: int = 3) -> st.SearchStrategy[list[Tree]]:
    """Lists of nodes: ("step",), ("decision", offset), ("sequence", children), ("branch", chosen,
    cases), ("loop", kind, times, children), ("foreach", items, concurrency, on_error, children),
    ("parallel", on_error, members), ("race", members)."""
    blocks = STEP
    for _ in range(depth):
        inner = st.lists(blocks | DECISION, min_size=1, max_size=3)
        members = st.lists(blocks, min_size=1, max_size=3)
        kinds = st.sampled_from(["until", "while_"])
        blocks = st.one_of(
            STEP,
            st.tuples(st.just("sequence"), inner),
            st.tuples(
                st.just("branch"), st.integers(-1, 1), st.lists(inner, min_size=2, max_size=2)
            ),
            st.tuples(st.just("loop"), kinds, st.integers(0, 2), inner),
            st.tuples(
                st.just("foreach"),
                st.integers(0, 3),
                st.sampled_from([None, 1, 2]),
                ON_ERROR,
                inner,
            ),
            st.tuples(st.just("parallel"), ON_ERROR, members),
            st.tuples(st.just("race"), members),
        )
    return st.lists(blocks | DECISION, min_size=1, max_size=3)


class Saga:
    """A tree with names. `ends` is how the step at `fails` ends: it fails or parks; so does
    one more at the end of the run, whatever was decided before."""

    def __init__(self, tree: list[Tree]) -> None:
        self.count = 0
        self.fails = ""
        self.ends: type[Exception] = Fatal
        # What each body of a compensation said, in the order in which they ran.
        self.said: list[str] = []
        self.nodes = [*self._named(tree), {"name": "last", "kind": "step"}]
        # Path of a visit -> the visits that completed with it, itself first if it is a node.
        self.completes: dict[str, list[str]] = defaultdict(list)
        self._visits: Counter[str] = Counter()
        self._last = ""
        self._has_jumps = False
        self.lines = ["class Saga(Workflow):", "    class Meta:", "        name = 'saga'"]
        self._write(self.nodes, 1)
        self._block(self.nodes, "")

    def workflow(self) -> type[Workflow]:
        """The class, made anew."""
        names: dict[str, Any] = {
            "Workflow": Workflow,
            "step": step,
            "branch": branch,
            "loop": loop,
            "sequence": sequence,
            "decision": decision,
            "parallel": parallel,
            "race": race,
            "foreach": foreach,
            "saga": self,
        }
        exec("\n".join(self.lines), names)
        made: type[Workflow] = names["Saga"]
        return made

    @property
    def steps(self) -> list[str]:
        """The paths of all visits of steps."""
        return [path for path, done in self.completes.items() if done[:1] == [path]]

    def run(self, key: str) -> None:
        """The body of every step."""
        path = key.partition(":")[2]
        if path in (self.fails, "last"):
            raise self.ends(10**6) if self.ends is RetryAfter else self.ends("the end")

    def jump(self, key: str, target: str) -> str | None:
        """The body of every decision: it jumps in its first visit."""
        return None if "#" in key.rpartition("/")[2] else target

    def undo(self, key: str) -> None:
        """The body of every compensation."""
        self.said.append(key.partition(":")[2])

    # -- names and source --------------------------------------------------------------------

    def _named(self, tree: list[Tree]) -> list[dict[str, Any]]:
        found = []
        for kind, *rest in tree:
            node: dict[str, Any] = {"name": f"n{self.count}", "kind": kind, "rest": rest}
            self.count += 1
            if kind == "branch":
                node["cases"] = [self._named(case) for case in rest[1]]
            elif kind not in ("step", "decision"):
                node["children"] = self._named(rest[-1])
            found.append(node)
        for index, node in enumerate(found):
            if node["kind"] == "decision":
                target = index + node["rest"][0]
                node["target"] = target
                if not 0 <= target < len(found):
                    node["kind"] = "step"  # nowhere to go
        return found

    def _write(self, nodes: list[dict[str, Any]], depth: int) -> None:
        pad = "    " * depth
        for node in nodes:
            name, kind, rest = node["name"], node["kind"], node.get("rest", [])
            if kind == "step":
                self.lines += [f"{pad}@step", f"{pad}def {name}(self):"]
                self.lines.append(f"{pad}    saga.run(self.idempotency_key)")
            elif kind == "decision":
                self._has_jumps = True
                target = nodes[node["target"]]["name"]
                self.lines += [f"{pad}@decision(to=[{target!r}])", f"{pad}def {name}(self):"]
                self.lines.append(f"{pad}    return saga.jump(self.idempotency_key, {target!r})")
            elif kind == "branch":
                self.lines.append(f"{pad}with branch(on=lambda self: {rest[0]}) as {name}:")
                for number, case in enumerate(node["cases"]):
                    self.lines.append(f"{pad}    with {name}.case({number}):")
                    self._write(case, depth + 2)
            else:
                self.lines.append(f"{pad}with {_opening(kind, rest)} as {name}:")
                self._write(node["children"], depth + 1)
            self.lines += [f"{pad}@{name}.compensate", f"{pad}def un_{name}(self):"]
            self.lines.append(f"{pad}    saga.undo(self.idempotency_key)")

    # -- what completes with what ------------------------------------------------------------

    def _record(self, path: str, *completed: str) -> None:
        self.completes[path] += completed
        self._last = path

    def _enter(self, node: dict[str, Any], prefix: str) -> str:
        base = f"{prefix}{node['name']}"
        if not self._has_jumps:
            return base
        self._visits[base] += 1
        return base if self._visits[base] == 1 else f"{base}#{self._visits[base]}"

    def _block(self, nodes: list[dict[str, Any]], prefix: str) -> None:
        index = 0
        while index < len(nodes):
            node = nodes[index]
            path = self._enter(node, prefix)
            index += 1
            if node["kind"] == "decision" and "#" not in path.rpartition("/")[2]:
                index = node["target"]
            self._run(node, path)

    def _run(self, node: dict[str, Any], path: str) -> None:
        kind, rest = node["kind"], node.get("rest", [])
        if kind in ("step", "decision"):
            self._record(path, path)
            return
        if kind == "sequence":
            self._block(node["children"], f"{path}/")
        elif kind == "branch":
            self._record(path)
            if rest[0] >= 0:
                self._block(node["cases"][rest[0]], f"{path}/")
        elif kind == "loop":
            self._loop(node, path, *rest[:2])
        elif kind != "foreach" or rest[0]:
            self._record(path)
            if kind == "foreach":
                for number in range(rest[0]):
                    self._block(node["children"], f"{path}[{number}]/")
            else:
                for member in node["children"]:
                    self._run(member, f"{path}/{member['name']}")
            self._record(f"{path}[]")
        else:
            self._record(path)
        self.completes[self._last].append(path)

    def _loop(self, node: dict[str, Any], path: str, test: str, times: int) -> None:
        if test == "while_":
            for number in range(1, times + 1):
                self._record(f"{path}[{number}]")
                self._block(node["children"], f"{path}[{number}]/")
            self._record(f"{path}[{times + 1}]")
            return
        for number in range(1, max(times, 1) + 1):
            self._block(node["children"], f"{path}[{number}]/")
            self._record(f"{path}[{number}]")


def _opening(kind: str, rest: list[Any]) -> str:
    if kind == "loop" and rest[0] == "until":
        return f"loop(until=lambda self: self.iteration >= {rest[1]})"
    if kind == "loop":
        return f"loop(while_=lambda self: self.iteration <= {rest[1]})"
    if kind == "foreach":
        items, concurrency, on_error = rest[:3]
        told = f"concurrency={concurrency}, on_error={on_error!r}"
        return f"foreach(lambda self: range({items}), {told})"
    return f"parallel(on_error={rest[0]!r})" if kind == "parallel" else f"{kind}()"
