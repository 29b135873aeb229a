"""Random workflows with forks in forks, in random order and with crashes, against a plain
interpreter: what is given, seen and left does not depend on who was first.
"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from durable_django.engine.context import Change
from durable_django.engine.outputs import Outputs
from durable_django.engine.results import MemberFailure
from durable_django.engine.values import decode, encode

from .forest import Forest
from .reckoning import FAILURE, Effect, Reckoning, goes_on, jump_of
from .rows import Ground, all_outputs, fetch
from .shapes import FORKS, Drawn, Shape, drawn, trees

STEPS_MAX = 4_000
LARGE = "x" * 3_000


class Story:
    """What happens to one run, told by two seeds: what each visit does, and in which order."""

    def __init__(
        self, workflow: Drawn, seed: int, order: int, *, fails: float = 0.0, flaky: float = 0.0
    ) -> None:
        self.workflow = workflow
        self.seed = seed
        self.fails, self.flaky = fails, flaky
        self.random = Random(order)
        self.forest = Forest(Ground(workflow, shares=False))
        self.seen: dict[str, Any] = {}
        self.winners: dict[str, str] = {}
        self.failed_once: set[str] = set()

    def effect(self, path: str) -> Effect:
        random = Random(f"{self.seed} {path}")
        output = path
        if random.random() < 0.2:
            output = path + LARGE
        changes = {
            "append": Change("append", "seen", encode(path, "path")),
            "increment": Change("increment", "n", str(random.randrange(-5, 5))),
            "quarters": Change("increment", "n", str(random.randrange(9) / 4)),
            "set": Change("set", "k", encode(path, "path")),
            "reset": Change("set", "n", str(random.randrange(9))),
            "delete": Change("delete", random.choice(["k", "n", "seen"]), "null"),
        }
        done = random.sample(list(changes.values()), random.choice([0, 0, 1, 1, 2, 3]))
        fails = random.random() < self.fails
        return Effect(output, tuple(done), fails)

    # -- the world ---------------------------------------------------------------------------

    def tell(self, cancels: int = 0) -> None:
        """From the beginning to the end."""
        for _ in range(STEPS_MAX):
            forest = self.forest
            if forest.run.is_over:
                return
            ready, running, parked = forest.ready(), forest.running(), forest.parked()
            path = self.random.choice(ready + running + parked)
            act = self.random.random()
            if act < 0.03 and cancels:
                cancels -= 1
                forest.cancel()
                forest.retry()
            elif path in ready:
                if act < 0.15 and forest.rows[path].status == "pending":
                    forest.park(path)
                self._start(path)
            elif path in parked:
                fails = self._fails_now(forest.visit(path).path)
                forest.resolve(path, "late" if fails else "answered")
            elif act < 0.15:
                forest.crash(path)
            else:
                self._end(path)
        raise AssertionError("it does not come to an end")

    def _start(self, path: str) -> None:
        forest = self.forest
        visit = forest.start(path)
        if not visit.joins:
            row = forest.rows[path]
            outputs = Outputs(row.state, lambda ref: fetch(forest.ground, row, ref))
            context = {key: decode(text) for key, text in row.state.context.items()}
            seen = {name: told(forest.plain(outputs[name])) for name in outputs}
            before = self.seen.setdefault(visit.path, (seen, context))
            assert before == (seen, context), "each attempt sees the same"

    def _end(self, path: str) -> None:
        forest = self.forest
        visit = forest.visit(path)
        shape = self.workflow.nodes[visit.node.name or ""]
        if visit.joins:
            forest.end(path, "join")
            if shape.kind == "race" and visit.path in forest.done:
                row = {**forest.archive, **forest.rows}[path]
                output = all_outputs(forest.ground, row, row.state)[shape.name]
                self.winners[visit.path[:-2]] = decode(output)["winner"]
        elif shape.kind == "wait":
            self._end_wait(path, visit.path)
        elif shape.kind in ("step", "retried"):
            self._end_step(path, visit.path, shape, visit.attempt)
        else:
            forest.end(path, choice(shape, visit.path))

    def _fails_now(self, visit: str) -> bool:
        """Whether the visit fails this time."""
        if self.flaky and visit not in self.failed_once:
            self.failed_once.add(visit)
            return Random(f"{self.seed} {visit}").random() < self.flaky
        return self.effect(visit).fails

    def _end_wait(self, path: str, visit: str) -> None:
        """It parks, and gives what it was given when it goes on."""
        awaits = self.forest.rows[path].awaits
        output = encode(self.effect(visit).output, "output")
        self.forest.end(
            path, {"": "waits", "answered": "success", "late": "failure"}[awaits], output
        )

    def _end_step(self, path: str, visit: str, shape: Shape, attempt: int) -> None:
        effect = self.effect(visit)
        if self._fails_now(visit) or (shape.kind == "retried" and attempt == 1 and len(visit) % 2):
            self.forest.end(path, "failure")
        else:
            output = encode(effect.output, "output")
            self.forest.end(path, "success", output, effect.changes)

    # -- what it must come to ----------------------------------------------------------------

    def judge(self) -> None:
        forest, reckoning = self.forest, Reckoning(self.workflow, self.effect, self.winners)
        run = forest.run
        assert run.status == ("failed" if reckoning.failed else "completed")
        for path, seen in self.seen.items():
            assert path not in reckoning.seen or seen == reckoning.seen[path]
        if reckoning.failed:
            return
        assert told(forest.given(run.result)) == reckoning.result
        outputs = all_outputs(forest.ground, run, run.state)
        assert {n: told(forest.given(t)) for n, t in outputs.items()} == reckoning.scope.own
        context = {key: decode(text) for key, text in run.state.context.items()}
        assert context == reckoning.scope.context
        assert list(context.get("seen", ())) == list(reckoning.scope.context.get("seen", ()))


def told(value: Any) -> Any:
    """Failures without their words: which of several failed first depends on the order."""
    if isinstance(value, MemberFailure):
        return FAILURE
    if isinstance(value, list):
        return [told(each) for each in value]
    if isinstance(value, dict):
        return {key: told(each) for key, each in value.items()}
    return value


def choice(shape: Shape, path: str) -> str:
    """How a visit that chooses or forks ends."""
    if shape.kind in FORKS:
        return str(shape.chosen) if shape.kind == "foreach" else "1"
    if shape.kind == "branch":
        return "none" if shape.chosen < 0 else str(shape.chosen)
    if shape.kind == "loop":
        return "again" if goes_on(shape, path) else "stop"
    return jump_of(shape, path) or "on"


seeds = st.integers(0, 10**9)


@given(trees(), seeds, seeds, seeds)
@settings(max_examples=200)
def test_where_all_succeed_nothing_depends_on_the_order(tree, seed, one, other):
    workflow = drawn(tree)
    stories = [Story(workflow, seed, order) for order in (one, other)]
    for story in stories:
        story.tell(cancels=2)
        story.judge()
        assert story.forest.run.status == "completed"
    first, second = stories
    if first.winners == second.winners:
        assert first.forest.run.state.context == second.forest.run.state.context
        same = [each.forest.given(each.forest.run.result) for each in stories]
        assert same[0] == same[1]


@given(trees(), seeds, seeds)
@settings(max_examples=400)
def test_members_that_fail_are_borne_as_the_plan_says(tree, seed, order):
    story = Story(drawn(tree), seed, order, fails=0.2)
    story.tell()
    story.judge()


@given(trees(on_errors=("fail_fast",)), seeds, seeds)
@settings(max_examples=200)
def test_a_run_that_is_retried_comes_to_what_it_would_have_come_to_at_once(tree, seed, order):
    story = Story(drawn(tree, max_retries=10**6), seed, order, flaky=0.2)
    story.tell(cancels=1)
    assert story.forest.run.status == "completed"
    story.judge()
