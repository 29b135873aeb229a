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
    as_inherited,
    attempted,
    completed,
    from_snapshot,
    given_by,
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
    reopens=st.booleans(),
    fatal=st.booleans(),
    undo=st.sampled_from(["", 'n"0~12']),
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


# Strands

PARENT = RunState("fetch[]", 3, context={"n": "5", "k": '"old"'}, outputs={"z": "1"}, last="fetch")


@given(states, st.lists(st.sampled_from(["n", "k", "new"]), unique=True))
def test_a_snapshot_of_a_strand_holds_its_own_and_the_rest_is_its_parents(state, keys):
    own = tuple(Change("set", key, "7") for key in keys)
    context = {**PARENT.context, **dict.fromkeys(keys, "7")}
    strand = state._replace(base="fetch", inherited=PARENT, changes=own, context=context)
    text = to_snapshot(strand)
    assert from_snapshot(text, "fetch", PARENT) == strand
    assert "context" not in json.loads(text)
    alone = from_snapshot(text, "fetch")
    assert alone.context == dict.fromkeys(keys, "7")
    assert to_snapshot(alone) == text, "who does not know the parent writes the same"


def test_appends_of_a_strand_are_read_back_one_by_one_to_the_same_effect():
    before = RunState("fetch/a", base="fetch", inherited=PARENT, context={"k": "[0]"})
    for text in ("1", "[2]"):
        change = (Change("append", "k", text),)
        before = completed(before, "fetch/a", "step", "null", change, "fetch/b")
    assert before.changes == (Change("append", "k", "1,[2]"),)
    parent = PARENT._replace(context={"k": "[0]"})
    read = from_snapshot(to_snapshot(before), "fetch", parent)
    assert read.context == before.context == {"k": "[0,1,[2]]"}
    assert read.changes == (Change("append", "k", "1"), Change("append", "k", "[2]"))


def test_only_a_strand_keeps_what_it_did_to_the_context():
    change = Change("set", "k", "1")
    run = completed(RunState("a"), "a", "step", "1", (change,), "b")
    assert (run.changes, run.context) == ((), {"k": "1"})
    strand = RunState("fetch/a", base="fetch")
    assert completed(strand, "fetch/a", "step", "1", (change,), "").changes == (change,)


def test_a_strand_that_ends_gives_what_is_in_it_but_not_the_block_around_it():
    strand = RunState("fetch/seq/a", base="fetch")
    assert completed(strand, "fetch/seq/a", "step", "5", (), "").outputs == {"a": "5", "seq": "5"}
    strand = RunState("sending[2]/a", base="sending")
    assert completed(strand, "sending[2]/a", "step", "5", (), "").outputs == {"a": "5"}
    run = RunState("seq/a")
    assert completed(run, "seq/a", "step", "5", (), "").outputs == {"a": "5", "seq": "5"}
    assert given_by("fetch/seq/a", "step", "", "fetch") == ("a", "seq")
    assert given_by("fetch/seq/a", "step", "") == ("a", "seq", "fetch")


def test_a_run_at_its_fork_knows_the_results_until_they_are_joined():
    results = results_text(UUID(int=7), 3)
    forked = completed(RunState("sending"), "sending", "foreach", results, (), "sending[]")
    assert (forked.fork, forked.outputs) == (results, {})
    again = attempted(forked)
    assert (again.fork, again.next_path) == (results, "sending[]")
    joined = completed(again, "sending[]", "foreach", results, (), "end")
    assert (joined.fork, joined.outputs) == ("", {"sending": results})


def test_a_foreach_without_items_gives_an_empty_list_and_forks_nothing():
    after = completed(RunState("sending"), "sending", "foreach", "[]", (), "end")
    assert (after.fork, after.outputs) == ("", {"sending": "[]"})


def test_what_a_strand_inherits_says_whose_rows_hold_it():
    state = PARENT._replace(references={"a": "2", "b": "feed:7"})
    inherited = as_inherited(state, "c0de")
    assert inherited.references == {"a": "c0de:2", "b": "feed:7"}
    assert inherited._replace(references=state.references) == state
    assert as_inherited(inherited, "beef") == inherited
    assert as_inherited(PARENT, "c0de") is PARENT
