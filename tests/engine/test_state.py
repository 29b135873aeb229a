"""The state of a run and its stored form: what is written is read back, large outputs too."""

import json
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from durable_django.engine.context import Change
from durable_django.engine.results import results_text
from durable_django.engine.state import (
    INLINE_OUTPUT_BYTES,
    RunState,
    attempted,
    completed,
    from_snapshot,
    to_snapshot,
)
from durable_django.engine.values import encode

names = st.text("abcü_", min_size=1, max_size=4)
encoded = st.one_of(
    st.none(), st.integers(), st.text('a"\\[]{},:ü', max_size=9), st.lists(st.integers())
).map(lambda value: encode(value, "value"))
states = st.builds(
    RunState,
    next_path=st.one_of(st.just(""), names),
    seq=st.integers(0, 10**6),
    attempt=st.integers(0, 10**6),
    context=st.dictionaries(st.text('a" ü$', max_size=3), encoded, max_size=4),
    outputs=st.dictionaries(names, encoded, max_size=4),
    references=st.just({}),
    last=st.one_of(st.just(""), names),
    visits=st.dictionaries(names, st.integers(1, 9), max_size=2),
    retries=st.integers(0, 9),
    base=st.just(""),
    inherited=st.none(),
    changes=st.just(()),
    fork=st.sampled_from(["", results_text(UUID(int=7), 3)]),
    fatal=st.booleans(),
    unrecovered=st.integers(0, 3),
)
references = st.one_of(
    st.integers(1, 99).map(str), st.integers(1, 99).map(lambda seq: f"{UUID(int=seq).hex}:{seq}")
)


@given(states, st.dictionaries(names.map(lambda name: f"{name}-large"), references))
def test_a_snapshot_is_read_back_as_the_state_it_was_written_from(state, references):
    state = state._replace(references=references)
    text = to_snapshot(state)
    assert from_snapshot(text) == state
    assert to_snapshot(from_snapshot(text)) == text
    json.loads(text)  # so that the database and the admin can look into it


@given(states)
def test_where_step_runs_are_known_small_outputs_still_stand_in_the_snapshot(state):
    known = dict.fromkeys(state.outputs, "1")
    assert from_snapshot(to_snapshot(state, known)) == state


def test_a_large_output_is_written_as_the_step_run_that_holds_it():
    large = encode("x" * INLINE_OUTPUT_BYTES, "output")
    state = RunState("c", 2, outputs={"a": large, "b": "1"}, last="b")
    read = from_snapshot(to_snapshot(state, {"a": "1", "b": "2"}))
    assert read.references == {"a": "1"}
    assert read.outputs == {"b": "1"}
    assert from_snapshot(to_snapshot(read, {"b": "2"})) == read


def test_bytes_not_characters_make_an_output_large():
    state = RunState("b", 1, outputs={"a": encode("€" * 700, "output")})
    assert from_snapshot(to_snapshot(state, {"a": "1"})).references == {"a": "1"}


def test_a_large_output_nobody_has_a_step_run_of_stands_in_the_snapshot():
    large = encode("x" * INLINE_OUTPUT_BYTES, "output")
    state = RunState("b", 1, outputs={"a": large})
    assert from_snapshot(to_snapshot(state)).outputs == {"a": large}


def test_a_completed_node_takes_its_changes_and_begins_the_next_ones_attempts():
    before = RunState("a", 4, attempt=2, context={"n": "1"})
    after = completed(before, "a", "step", "[1]", (Change("increment", "n", "2"),), "b")
    assert after == RunState("b", 5, 0, {"n": "3"}, {"a": "[1]"}, {}, "a")
    assert before == RunState("a", 4, attempt=2, context={"n": "1"})


def test_an_output_given_anew_takes_the_place_of_its_reference():
    before = RunState("a", 4, references={"a": "1", "b": "2"})
    after = completed(before, "a", "step", "5", (), "b")
    assert (after.outputs, after.references) == ({"a": "5"}, {"b": "2"})


def test_an_attempt_that_did_not_complete_only_counts():
    before = RunState("a", 4, 1, {"n": "1"}, {"z": "1"}, {"y": "2"}, "z")
    assert attempted(before) == before._replace(seq=5, attempt=2)
