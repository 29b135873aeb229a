"""Random workflows of nested blocks, and what must happen in them, told by a plain interpreter.

A tree is nested tuples; a `Plan` writes the class and walks the tree as a person would. What is
chosen at each branch, test and decision is fixed by the tree, so that both must agree.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import strategies as st

from durable_django import Workflow, branch, decision, loop, sequence, step
from durable_django.definition import registry
from durable_django.definition.definition import Definition

Tree = tuple[Any, ...]


def trees(depth: int = 3) -> st.SearchStrategy[list[Tree]]:
    """Lists of nodes: ("step",), ("branch", chosen, cases), ("loop", kind, times, children),
    ("sequence", children), ("decision", offset): where it leads, once, counted in siblings."""
    nodes = st.one_of(
        st.just(("step",)),
        st.just(("step",)),
        st.tuples(st.just("decision"), st.integers(-3, 3).filter(bool)),
    )
    for _ in range(depth):
        inner = st.lists(nodes, min_size=1, max_size=3)
        nodes = st.one_of(
            st.just(("step",)),
            st.tuples(st.just("decision"), st.integers(-3, 3).filter(bool)),
            st.tuples(
                st.just("branch"),
                st.integers(-1, 1),
                st.lists(inner, min_size=2, max_size=2),
            ),
            st.tuples(
                st.just("loop"), st.sampled_from(["until", "while_"]), st.integers(0, 3), inner
            ),
            st.tuples(st.just("sequence"), inner),
        )
    return st.lists(nodes, min_size=1, max_size=3)


class Plan:
    """A tree with names: the class it makes, and the visits and outputs it must give."""

    def __init__(self, tree: list[Tree]) -> None:
        self.count = 0
        self.lines: list[str] = [
            "class Made(Workflow):",
            "    class Meta:",
            "        name = 'flow'",
        ]
        self.nodes = self._named(tree)
        self._write(self.nodes, 1)
        self.visited: list[str] = []
        self.outputs: dict[str, Any] = {}
        self.choices: dict[str, Any] = {}
        self._visits: Counter[str] = Counter()
        self._jumped: set[str] = set()
        self._runs = 0

    def definition(self) -> Definition:
        names: dict[str, Any] = {
            "Workflow": Workflow,
            "step": step,
            "branch": branch,
            "loop": loop,
            "sequence": sequence,
            "decision": decision,
        }
        with registry.isolate():
            exec("\n".join(self.lines), names)
        return names["Made"].definition

    # -- names and source --------------------------------------------------------------------

    def _named(self, tree: list[Tree]) -> list[dict[str, Any]]:
        found = []
        for kind, *rest in tree:
            name = f"n{self.count}"
            self.count += 1
            node: dict[str, Any] = {"name": name, "kind": kind}
            if kind == "branch":
                node["chosen"] = rest[0]
                node["cases"] = [self._named(case) for case in rest[1]]
            elif kind == "loop":
                node["test"], node["times"] = rest[0], rest[1]
                node["children"] = self._named(rest[2])
            elif kind == "sequence":
                node["children"] = self._named(rest[0])
            elif kind == "decision":
                node["offset"] = rest[0]
            found.append(node)
        for index, node in enumerate(found):
            if node["kind"] == "decision":
                target = index + node["offset"]
                inside = 0 <= target < len(found)
                node["target"] = target if inside else None
                if not inside:
                    node["kind"] = "step"  # nowhere to go
        return found

    def _write(self, nodes: list[dict[str, Any]], depth: int) -> None:
        pad = "    " * depth
        for node in nodes:
            name, kind = node["name"], node["kind"]
            if kind == "step":
                self.lines += [f"{pad}@step", f"{pad}def {name}(self): ..."]
            elif kind == "decision":
                target = nodes[node["target"]]["name"]
                self.lines += [f"{pad}@decision(to=[{target!r}])", f"{pad}def {name}(self): ..."]
            elif kind == "branch":
                self.lines.append(f"{pad}with branch(on={name + '_key'!r}) as {name}:")
                for number, case in enumerate(node["cases"]):
                    self.lines.append(f"{pad}    with {name}.case({number}):")
                    self._write(case, depth + 2)
            elif kind == "loop":
                test = f"{node['test']}={name + '_key'!r}"
                self.lines.append(f"{pad}with loop({test}) as {name}:")
                self._write(node["children"], depth + 1)
            else:
                self.lines.append(f"{pad}with sequence() as {name}:")
                self._write(node["children"], depth + 1)

    # -- what must happen --------------------------------------------------------------------

    def walk(self) -> Any:
        """Fills `visited` and `choices` (path -> encoded outcome); the run's result."""
        return self._block(self.nodes, "")

    def _visit(self, path: str, outcome: Any) -> None:
        self.visited.append(path)
        self.choices[path] = outcome

    def _enter(self, node: dict[str, Any], prefix: str) -> str:
        base = f"{prefix}{node['name']}"
        if not any("@decision" in line for line in self.lines):
            return base
        self._visits[base] += 1
        return base if self._visits[base] == 1 else f"{base}#{self._visits[base]}"

    def _block(self, nodes: list[dict[str, Any]], prefix: str) -> Any:
        index, last = 0, None
        while index < len(nodes):
            node = nodes[index]
            path = self._enter(node, prefix)
            index += 1
            if node["kind"] == "decision":
                target = None
                if node["name"] not in self._jumped:
                    self._jumped.add(node["name"])
                    index = node["target"]
                    target = nodes[index]["name"]
                self._visit(path, target)
                last = target
            else:
                last = self._run(node, path)
            self.outputs[node["name"]] = last
        return last

    def _run(self, node: dict[str, Any], path: str) -> Any:
        if node["kind"] == "step":
            self._runs += 1
            self._visit(path, self._runs)
            return self._runs
        if node["kind"] == "sequence":
            return self._block(node["children"], f"{path}/")
        if node["kind"] == "branch":
            chosen = node["chosen"]
            self._visit(path, None if chosen < 0 else str(chosen))
            return None if chosen < 0 else self._block(node["cases"][chosen], f"{path}/")
        return self._loop(node, path)

    def _loop(self, node: dict[str, Any], path: str) -> Any:
        last, times = None, node["times"]
        if node["test"] == "while_":
            for number in range(1, times + 1):
                self._visit(f"{path}[{number}]", True)
                last = self._block(node["children"], f"{path}[{number}]/")
            self._visit(f"{path}[{times + 1}]", False)
            return last
        for number in range(1, max(times, 1) + 1):
            last = self._block(node["children"], f"{path}[{number}]/")
            self._visit(f"{path}[{number}]", number < times)
        return last
