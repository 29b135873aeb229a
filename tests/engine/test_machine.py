"""The laws of the machine: it always has a verdict, never starts what is done, always comes to an
end, and a run made again from its rows is the run that was in memory.

All small worlds are walked; large ones are sampled (Hypothesis).
"""

from __future__ import annotations

from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_django import Fatal, Retry, RetryAfter, Workflow, minutes, step
from durable_django.definition import registry
from durable_django.engine import machine
from durable_django.engine.context import Change
from durable_django.engine.machine import Outcome
from durable_django.engine.results import results_text
from durable_django.engine.state import RunState, to_snapshot
from durable_django.exceptions import DefinitionChanged, StepTimeout

from .shapes import drawn
from .worlds import OUTCOMES, World, make_definition

# Of a step that declares no Retry, RetryAfter asks for attempts without end: walk so many.
ATTEMPTS_WALKED = 4
SMALL = [shape for size in (1, 2, 3) for shape in product((None, 1, 2), repeat=size)]


@pytest.mark.parametrize("attempts", SMALL, ids=str)
def test_all_small_worlds_keep_the_laws(attempts):
    definition = make_definition(attempts)
    waiting, ends, seen = [World(definition)], set(), set()
    while waiting:
        world = waiting.pop()
        reached = to_snapshot(world.state)
        if reached in seen:
            continue
        seen.add(reached)
        for running in (False, True):
            world.copy().crash(running)
        for kind in OUTCOMES:
            after = world.copy()
            after.attempt(kind)
            assert after.replayed() == (after.state, None)
            if after.over:
                ends.add((after.verdict, len(after.done)))
            elif after.state.attempt < ATTEMPTS_WALKED:
                waiting.append(after)
                parked = after.copy()
                parked.take_snapshot()
                parked.crash()
    size = len(attempts)
    assert ends == {(machine.COMPLETE, n) for n in range(1, size + 1)} | {
        (machine.FAIL, n) for n in range(size)
    }


keys = st.sampled_from(["a", "b"])
encoded = st.sampled_from(["1", "2.5", '"text"', "[1]", "null"])
changes = st.one_of(
    st.builds(Change, st.just("set"), keys, encoded),
    st.builds(Change, st.just("delete"), keys, st.just("null")),
    st.builds(Change, st.just("append"), st.just("list"), encoded),
    st.builds(Change, st.just("increment"), st.just("n"), st.sampled_from(["1", "-2", "0.5"])),
)
acts = st.one_of(
    st.tuples(st.sampled_from(OUTCOMES), st.lists(changes, max_size=3).map(tuple)),
    st.tuples(st.just("success"), st.lists(changes, max_size=3).map(tuple)),
    st.sampled_from(["crash", "crash inside", "snapshot"]),
)


@given(st.lists(st.sampled_from([None, 1, 2, 5]), min_size=1, max_size=6), st.lists(acts))
def test_large_worlds_keep_the_laws_whenever_they_crash_and_park(attempts, acts):
    world = World(make_definition(tuple(attempts)))
    for act in acts:
        if world.over:
            break
        if act == "snapshot":
            world.take_snapshot()
        elif isinstance(act, str):
            world.crash(running=act == "crash inside")
        else:
            world.attempt(*act)
        assert world.replayed() == (world.state, None)
    world.take_snapshot()
    assert world.replayed()[0] == world.state


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=6),
    st.lists(st.sampled_from(OUTCOMES), min_size=30, max_size=30),
)
def test_a_run_ends_after_at_most_all_the_attempts_of_all_its_nodes(attempts, kinds):
    world = World(make_definition(tuple(attempts)))
    for kind in kinds:
        if not world.over:
            world.attempt(kind)
    assert world.over
    assert len(world.started) <= sum(attempts)
    for number, allowed in enumerate(attempts):
        assert world.started.count(f"n{number}") <= allowed


# How retries are counted


def delays(node_retry, error, attempts=4, meta_retry=None):
    with registry.isolate():

        class Made(Workflow):
            class Meta:
                retry = meta_retry

            @step(retry=node_retry)
            def charge(self): ...

    node = Made.charge
    return [
        machine.retry_delay(Made.definition, node, attempt, error, 0.5)
        for attempt in range(1, attempts + 1)
    ]


def test_without_a_retry_there_is_one_attempt():
    assert delays(None, ValueError()) == [None] * 4


def test_a_retry_waits_longer_each_time_until_the_attempts_are_used_up():
    assert delays(Retry(3), ValueError()) == [2, 4, None, None]
    assert delays(Retry(4, "linear", base=5), ValueError()) == [5, 10, 15, None]


def test_the_retry_of_meta_counts_where_the_step_has_none():
    assert delays(None, ValueError(), meta_retry=Retry(2, "constant")) == [2, None, None, None]
    assert delays(Retry(1), ValueError(), meta_retry=Retry(9)) == [None] * 4


@pytest.mark.parametrize("error", [Fatal("no"), SystemExit(1), KeyboardInterrupt()])
def test_what_says_so_and_what_is_no_exception_is_never_retried(error):
    assert delays(Retry(3), error) == [None] * 4


def test_only_the_errors_that_the_retry_names_are_retried():
    assert delays(Retry(3, on=KeyError), ValueError()) == [None] * 4
    assert delays(Retry(3, never_on=ValueError), ValueError()) == [None] * 4
    assert delays(Retry(3, on=KeyError), KeyError())[0] == 2


def test_a_timeout_is_retried_as_any_failure():
    assert delays(Retry(3), StepTimeout("late"))[0] == 2


def test_retry_after_chooses_its_delay_within_the_attempts_of_a_declared_retry():
    assert delays(Retry(3), RetryAfter(minutes(1))) == [60, 60, None, None]
    assert delays(None, RetryAfter(7), meta_retry=Retry(2)) == [7, None, None, None]
    assert delays(Retry(1), RetryAfter(7)) == [None] * 4


def test_retry_after_asks_for_the_attempt_itself_where_no_retry_is_declared():
    assert delays(None, RetryAfter(0)) == [0, 0, 0, 0]


# What a deploy may do


def definition_with(*names):
    body = "".join(f"    @step\n    def {name}(self): ...\n" for name in names)
    known = {"Workflow": Workflow, "step": step}
    with registry.isolate():
        exec(f"class Made(Workflow):\n{body}", known)
    return known["Made"].definition


def test_a_run_goes_on_at_the_node_its_checkpoint_names_whatever_stands_before_it_now():
    old, new = definition_with("a", "b", "c"), definition_with("b", "a", "added", "c")
    state = machine.initial_state(old)
    for output in ("1", "2"):
        visit = machine.next_visit(old, state)
        state = machine.advance(old, state, visit, Outcome("completed", output)).state
    assert machine.next_visit(new, state).path == "c"


def test_a_run_whose_next_node_is_gone_is_not_guessed_at():
    with pytest.raises(DefinitionChanged, match=r"node 'b'.*version 1"):
        machine.next_visit(definition_with("a", "c"), RunState("b", 1, last="a"))


def test_a_run_whose_next_node_stood_in_a_block_does_not_go_on_at_the_top():
    with pytest.raises(DefinitionChanged, match=r"'b' stands in the top now.*in fetch"):
        machine.next_visit(definition_with("a", "b"), RunState("fetch/b", 1, last="a"))


STEP = ("step",)
PARALLEL = ("parallel", "fail_fast", (STEP, STEP))
FOREACH = ("foreach", 2, None, "fail_fast", None, (STEP, STEP))
RACE = ("race", (STEP, STEP))


@pytest.mark.parametrize(
    ("kind", "strand", "now"),
    [
        ("parallel", "n0/n1", ("sequence", (STEP, STEP))),
        ("parallel", "n0/n1", FOREACH),
        ("parallel", "n0/n1", RACE),
        ("foreach", "n0[0]", PARALLEL),
        ("foreach", "n0[0]", STEP),
        ("foreach", "n0[0]", ("loop", "until", 1, (STEP, STEP))),
        ("race", "n0/n1", PARALLEL),
    ],
)
def test_members_of_a_block_that_is_of_another_kind_now_are_not_guessed_at(kind, strand, now):
    definition = drawn((now, STEP)).definition
    parent = RunState("n0[]", 1, fork=results_text(UUID(int=7), 2, kind), last="n0")
    with pytest.raises(DefinitionChanged, match=f"'n0' is a {now[0]} now, but was a {kind}"):
        machine.next_visit(definition, parent)
    with pytest.raises(DefinitionChanged):
        machine.next_visit(definition, machine.initial_strand(definition, strand, parent))


@pytest.mark.parametrize(("kind", "tree"), [("parallel", PARALLEL), ("race", RACE)])
def test_members_of_a_block_that_is_still_of_its_kind_go_on(kind, tree):
    definition = drawn((STEP, tree)).definition
    parent = RunState("n1[]", 2, fork=results_text(UUID(int=7), 2, kind), last="n1")
    assert machine.next_visit(definition, parent).joins
    strand = machine.initial_strand(definition, "n1/n2", parent)
    assert machine.next_visit(definition, strand).path == "n1/n2"


def test_a_visit_path_names_its_node_and_the_blocks_around_it():
    assert machine.node_name("polling[3]/poll") == "poll"
    assert machine.node_name("route#2") == "route"
    assert machine.node_name("sending[17]") == "sending"
    assert machine.chain_names("polling[3]/fetch#2/user") == ("polling", "fetch")
    assert machine.chain_names("user") == ()


def test_changes_that_do_not_fit_the_context_are_refused_before_anything_is_recorded():
    definition = definition_with("a")
    state = machine.initial_state(definition)._replace(context={"n": '"text"'})
    visit = machine.next_visit(definition, state)
    outcome = Outcome("completed", changes=(Change("increment", "n", "1"),))
    with pytest.raises(TypeError, match="cannot increment"):
        machine.advance(definition, state, visit, outcome)


# The stored form of an error


def test_an_error_is_stored_printable_and_bounded_whatever_it_holds():
    class Hostile(Exception):
        def __str__(self):
            raise ValueError("not even this")

    stored = machine.error_of(Hostile(), "charge", "trace \0")
    assert stored["type"] == "Hostile"
    assert "its str() raised ValueError" in stored["message"]
    assert stored["traceback"] == "trace \\x00"
    assert stored["node"] == "charge"
    long = machine.error_of(ValueError("x" * 10**6), None, "y" * 10**6)
    assert len(long["message"].encode()) <= machine.ERROR_BYTES // 4
    assert len(long["traceback"].encode()) <= machine.ERROR_BYTES // 2
