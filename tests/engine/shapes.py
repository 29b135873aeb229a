"""Workflows with every kind of block, made from nested tuples: written, and drawn at random.

A tree says what the definition says, and what is chosen in it: which case, how many iterations, how
many items. Names are given in the order of the text: n0, n1, …
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

from hypothesis import strategies as st

from durable_django import (
    Retry,
    Workflow,
    branch,
    decision,
    foreach,
    loop,
    parallel,
    race,
    sequence,
    step,
    wait_for_event,
)
from durable_django.definition import registry
from durable_django.definition.definition import Definition

# ("step",), ("retried",): a step with two attempts, ("wait",): a declared one, ("decision", offset
# in siblings),
# ("sequence", children), ("branch", chosen case or -1, cases), ("loop", test, times, children),
# ("parallel", on_error, children), ("race", children),
# ("foreach", items, concurrency, on_error, tolerate, children)
Tree = tuple[Any, ...]
FORKS = ("parallel", "race", "foreach")
MAX = 2  # of iterations of a loop and of visits by a jump, where all is walked


class Shape(NamedTuple):
    """A node with its name. ``chosen`` is what is decided there: the case of a branch, the
    iterations of a loop, the items of a foreach, the target of a decision."""

    kind: str
    name: str
    children: tuple[Shape, ...] = ()
    cases: tuple[tuple[Shape, ...], ...] = ()
    chosen: Any = None
    option: Any = None  # of a loop: its test; of a fork: on_error
    concurrency: int | None = None
    tolerate: Any = None

    @property
    def all_children(self) -> tuple[Shape, ...]:
        return self.children or tuple(child for case in self.cases for child in case)

    def tolerated(self, members: int) -> int | None:
        """How many members may fail; None for all."""
        if self.kind == "race":
            return members - 1
        if isinstance(self.tolerate, float):
            return int(self.tolerate * members)
        if self.tolerate is None:
            return 0 if self.option == "fail_fast" else None
        return int(self.tolerate)


class Drawn(NamedTuple):
    """A workflow: its nodes in order, all of them by name, and the definition made of them."""

    top: tuple[Shape, ...]
    nodes: dict[str, Shape]
    definition: Definition


def drawn(trees: tuple[Tree, ...] | list[Tree], max_retries: int = 0, most: int = 9) -> Drawn:
    """The workflow of these trees. ``most`` bounds its loops and jumps."""
    top = _named(trees, count(), is_fork=False)
    nodes = {shape.name: shape for shape in _walked(top)}
    lines = ["class Made(Workflow):", "    class Meta:", "        name = 'made'"]
    lines.append(f"        max_retries = {max_retries}")
    lines += _written(top, "    ", most)
    names: dict[str, Any] = {
        "Workflow": Workflow,
        "Retry": Retry,
        "step": step,
        "decision": decision,
        "branch": branch,
        "loop": loop,
        "sequence": sequence,
        "parallel": parallel,
        "race": race,
        "foreach": foreach,
        "wait_for_event": wait_for_event,
    }
    with registry.isolate():
        exec("\n".join(lines), names)
    return Drawn(top, nodes, names["Made"].definition)


def _walked(shapes: tuple[Shape, ...]) -> Iterator[Shape]:
    for shape in shapes:
        yield shape
        yield from _walked(shape.all_children)


def _named(trees: Any, numbers: Iterator[int], is_fork: bool) -> tuple[Shape, ...]:
    shapes = [_shape(tree, f"n{next(numbers)}", numbers) for tree in trees]
    for index, shape in enumerate(shapes):
        if shape.kind == "decision":
            target = index + shape.chosen
            if 0 <= target < len(shapes) and not is_fork:
                shapes[index] = shape._replace(chosen=shapes[target].name)
            else:  # nowhere to go
                shapes[index] = Shape("step", shape.name)
    return tuple(shapes)


def _shape(tree: Tree, name: str, numbers: Iterator[int]) -> Shape:
    kind, *rest = tree
    if kind in ("step", "retried", "wait"):
        return Shape(kind, name)
    if kind == "decision":
        return Shape(kind, name, chosen=rest[0])
    if kind == "branch":
        cases = tuple(_named(case, numbers, False) for case in rest[1])
        return Shape(kind, name, cases=cases, chosen=rest[0])
    children = _named(rest[-1], numbers, kind in ("parallel", "race"))
    if kind == "loop":
        return Shape(kind, name, children, chosen=rest[1], option=rest[0])
    if kind == "parallel":
        return Shape(kind, name, children, option=rest[0])
    if kind == "race":
        return Shape(kind, name, children, option="collect")
    if kind == "foreach":
        items, concurrency, on_error, tolerate, _ = rest
        return Shape(kind, name, children, (), items, on_error, concurrency, tolerate)
    return Shape(kind, name, children)


def _written(shapes: tuple[Shape, ...], pad: str, most: int) -> Iterator[str]:
    for shape in shapes:
        name, inner = shape.name, pad + "    "
        if shape.kind in ("step", "retried", "decision"):
            options = {
                "step": "step",
                "retried": "step(retry=Retry(2))",
                "decision": f"decision(to=[{shape.chosen!r}], max_visits={most})",
            }
            yield f"{pad}@{options[shape.kind]}"
            yield f"{pad}def {name}(self): ..."
        elif shape.kind == "wait":
            yield f"{pad}{name} = wait_for_event(key=lambda self: self.idempotency_key, timeout=5)"
        elif shape.kind == "branch":
            yield f"{pad}with branch(on='key') as {name}:"
            for number, case in enumerate(shape.cases):
                yield f"{inner}with {name}.case({number}):"
                yield from _written(case, inner + "    ", most)
        else:
            yield f"{pad}with {_opening(shape, most)} as {name}:"
            yield from _written(shape.children, inner, most)


def _opening(shape: Shape, most: int) -> str:
    if shape.kind == "loop":
        return f"loop({shape.option}='key', max_iterations={most})"
    if shape.kind == "parallel":
        return f"parallel(on_error={shape.option!r})"
    if shape.kind == "foreach":
        options = f"on_error={shape.option!r}, tolerate={shape.tolerate!r}"
        return f"foreach('key', concurrency={shape.concurrency}, {options})"
    return f"{shape.kind}()"


# Drawn at random


def trees(depth: int = 3, on_errors: tuple[str, ...] = ("fail_fast", "collect")) -> Any:
    """Lists of trees. With ``on_errors=("fail_fast",)`` nothing that fails is borne."""
    bears = "collect" in on_errors
    leaves = st.one_of(
        st.just(("step",)),
        st.just(("retried",)),
        st.just(("wait",)),
        st.tuples(st.just("decision"), st.integers(-2, 2).filter(bool)),
    )
    nodes = leaves
    on_error = st.sampled_from(on_errors)
    tolerate = st.sampled_from([None, 0, 1, 0.5]) if bears else st.none()
    for _ in range(depth):
        inner = st.lists(nodes, min_size=1, max_size=3)
        fork = [
            st.tuples(st.just("parallel"), on_error, inner),
            st.tuples(
                st.just("foreach"),
                st.integers(0, 3),
                st.sampled_from([None, 1, 2]),
                on_error,
                tolerate,
                inner,
            ),
        ]
        races = [st.tuples(st.just("race"), inner)] if bears else []
        nodes = st.one_of(
            leaves,
            *fork,
            *fork,
            *races,
            st.tuples(st.just("sequence"), inner),
            st.tuples(
                st.just("branch"), st.integers(-1, 1), st.lists(inner, min_size=2, max_size=2)
            ),
            st.tuples(
                st.just("loop"), st.sampled_from(["until", "while_"]), st.integers(0, 2), inner
            ),
        )
    return st.lists(nodes, min_size=1, max_size=3)
