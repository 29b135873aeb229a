"""Skipping, editing and going on elsewhere: each is one transaction under the run's lock."""

import pytest
from django.db import transaction

from durable_django import Workflow, step
from durable_django.definition import registry
from durable_django.engine.state import INLINE_OUTPUT_BYTES, from_snapshot
from durable_django.exceptions import ExecutionNotFound, InvalidState
from durable_django.models import AuditEntry, Execution, StepRun
from durable_django.signals import execution_finished
from durable_django.store.checkpoint import write_wave
from durable_django.store.claiming import claim
from durable_django.store.editing import edit_context
from durable_django.store.ending import cancel
from durable_django.store.going_on import nodes_to_go_on_at, retry
from durable_django.store.skipping import paths_to_skip, skip

from .rows import (
    at_once,
    checkpoint_of,
    claim_one,
    completion,
    held,
    make_run,
    make_worker,
    now_of,
    seqs_of,
    step_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(db):
    return make_worker()


@pytest.fixture(autouse=True)
def shop():
    with registry.isolate():

        class Shop(Workflow):
            class Meta:
                name = "shop"

            @step
            def n1(self): ...

            @step
            def n2(self): ...

            @step
            def n3(self): ...

        yield Shop


def failed(worker, large=False):
    """A run whose first node completed and whose second failed."""
    run = held(worker)
    output = f'"{"x" * (INLINE_OUTPUT_BYTES + 1)}"' if large else "[1]"
    first = step_of(1, changes='[["set","n",1]]', output=output)
    write_wave(worker, [checkpoint_of(run, step=first)])
    move = completion(
        '{"next":"n2","seq":2,"attempt":1,"context":{"n":1},"outputs":{"n1":1},"last":"n1"}', 2
    )._replace(status="failed", error='{"type":"E","node":"n2"}')
    last = step_of(2, "failed", path="n2", name="n2", next_path="n2", output="null")
    write_wave(worker, [checkpoint_of(run, step=last, move=move)])
    return run


def verbs_of(pk):
    return list(AuditEntry.objects.filter(execution_id=pk).values_list("verb", flat=True))


# Skip


def test_a_skipped_node_is_a_step_run_and_the_run_is_ready_behind_it(worker):
    run = failed(worker, large=True)
    lease = now_of(run.id).lease
    given = skip(run.id, [7], None, None)
    now = now_of(run.id)
    assert given.pk == run.id
    assert (now.status, now.lease, now.error_text, now.finished_at) == (
        "pending",
        lease + 1,
        "",
        None,
    )
    row = StepRun.objects.get(execution_id=run.id, seq=3)
    assert (row.path, row.name, row.kind, row.attempt) == ("n2", "n2", "step", 2)
    assert (row.status, row.output, row.next_path) == ("skipped", [7], "n3")
    assert row.started_at == row.finished_at is not None
    state = from_snapshot(now.snapshot)
    assert (state.next_path, state.seq, state.attempt, now.snapshot_seq) == ("n3", 3, 0, 3)
    assert (state.outputs, state.references) == ({"n2": "[7]"}, {"n1": "1"})


def test_a_large_value_stands_in_its_step_run_only(worker):
    run = failed(worker)
    skip(run.id, "y" * (INLINE_OUTPUT_BYTES + 1), None, None)
    assert from_snapshot(now_of(run.id).snapshot).references == {"n1": "1", "n2": "3"}


def test_who_drove_the_run_before_writes_nothing(worker):
    run = failed(worker)
    skip(run.id, None, None, None)
    assert write_wave(worker, [checkpoint_of(run, 4)]) == ["lost"]
    fresh = claim_one(worker, run.id)
    assert [row.seq for row in fresh.recorded] == []
    assert write_wave(worker, [checkpoint_of(run, 4)]) == ["lost"]
    move = completion(fresh.snapshot, 4)
    assert write_wave(worker, [checkpoint_of(fresh, step=step_of(4), move=move)]) == ["written"]
    assert seqs_of(run.id) == [1, 2, 3, 4]


def test_a_run_that_completes_with_what_is_skipped_tells_so(worker, db):
    told = []

    def hear(sender, execution_id, status, **_):
        told.append((sender, execution_id, status))

    run = failed(worker)
    Execution.objects.filter(pk=run.id).update(
        snapshot='{"next":"n3","seq":2,"attempt":1,"context":{},"outputs":{},"last":"n2"}'
    )
    execution_finished.connect(hear)
    try:
        with transaction.atomic():
            skip(run.id, 9, None, None)
    finally:
        execution_finished.disconnect(hear)
    now = now_of(run.id)
    assert (now.status, now.result, now.error, now.is_final) == ("completed", 9, None, True)
    assert now.finished_at is not None
    assert claim(worker, ["default"], 9) == []


@pytest.mark.django_db(transaction=True)
def test_of_two_that_skip_at_once_one_does(worker):
    run = failed(worker)
    found = at_once(*[lambda: skip(run.id, 1, None, None)] * 2)
    assert sorted(type(each).__name__ for each in found) == ["Execution", "InvalidState"]
    assert seqs_of(run.id) == [1, 2, 3]
    assert verbs_of(run.id) == ["skip"]


@pytest.mark.django_db(transaction=True)
def test_a_skip_and_a_retry_at_once_leave_one_of_them(worker):
    run = failed(worker)
    found = at_once(lambda: skip(run.id, 1, None, None), lambda: retry(run.id, None, node="n1"))
    assert sorted(type(each).__name__ for each in found) == ["Execution", "InvalidState"]
    now = now_of(run.id)
    skipped = verbs_of(run.id) == ["skip"]
    assert from_snapshot(now.snapshot).next_path == ("n3" if skipped else "n1#2")


@pytest.mark.django_db(transaction=True)
def test_a_skip_and_a_cancel_at_once_leave_no_run_half_done(worker):
    run = failed(worker)
    found = at_once(lambda: skip(run.id, 1, None, None), lambda: cancel(run.id, ""))
    assert not isinstance(found[0], Exception)
    if isinstance(found[1], InvalidState):  # it came before
        assert now_of(run.id).status == "pending"
    else:
        assert now_of(run.id).status == "cancelled"
        retry(run.id, None)
        assert from_snapshot(now_of(run.id).snapshot).next_path == "n3"


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_claims_meanwhile_has_the_whole_or_nothing_of_it(worker):
    run = failed(worker)
    found = at_once(lambda: skip(run.id, 1, None, None), lambda: claim(worker, ["default"], 1))
    assert not isinstance(found[0], Exception)
    claimed = found[1] or claim(worker, ["default"], 1)
    assert [(c.id, from_snapshot(c.snapshot).next_path) for c in claimed] == [(run.id, "n3")]


def test_what_is_rolled_back_with_its_caller_did_not_happen(worker):
    run = failed(worker)
    before = now_of(run.id)
    for act in (
        lambda: skip(run.id, 1, None, None),
        lambda: retry(run.id, None, node="n1"),
        lambda: edit_context(run.id, {"n": "2"}, []),
    ):
        with transaction.atomic():
            act()
            transaction.set_rollback(True)
    now = now_of(run.id)
    assert (now.status, now.lease, now.snapshot) == ("failed", before.lease, before.snapshot)
    assert (seqs_of(run.id), verbs_of(run.id)) == ([1, 2], [])


# The context


def test_an_edit_changes_the_snapshot_and_nothing_else(worker):
    run = failed(worker, large=True)
    before = Execution.objects.filter(pk=run.id).values().get()
    edit_context(run.id, {"n": "2", "m": "[3]"}, [])
    after = Execution.objects.filter(pk=run.id).values().get()
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {"snapshot"}
    state = from_snapshot(after["snapshot"])
    assert state.context == {"n": "2", "m": "[3]"}
    assert (state.next_path, state.attempt, state.references) == ("n2", 1, {"n1": "1"})


def test_an_edit_counts_in_what_was_recorded_after_the_snapshot(worker):
    run = held(worker)
    large = f'"{"x" * (INLINE_OUTPUT_BYTES + 1)}"'
    first = step_of(1, changes='[["set","n",1],["set","m",1]]', output=large)
    write_wave(worker, [checkpoint_of(run, step=first)])
    cancel(run.id, "")
    edit_context(run.id, {"n": "2"}, [])
    now = now_of(run.id)
    state = from_snapshot(now.snapshot)
    assert (state.context, state.next_path) == ({"n": "2", "m": "1"}, "n2")
    assert (state.references, now.snapshot_seq) == ({"n1": "1"}, 1)
    retry(run.id, None)
    assert from_snapshot(claim_one(worker, run.id).snapshot).context == {"n": "2", "m": "1"}


@pytest.mark.django_db(transaction=True)
def test_an_edit_and_a_claim_at_once_are_one_after_the_other(worker):
    for _ in range(5):
        run = make_run()
        claimed, edited = at_once(
            lambda: claim(worker, ["default"], 1),
            lambda pk=run.pk: edit_context(pk, {"n": "2"}, []),
        )
        if isinstance(edited, InvalidState):
            assert edited.status == "running"
            assert (claimed[0].snapshot, verbs_of(run.pk)) == ("", [])
        else:
            found = claimed or claim(worker, ["default"], 1)
            assert from_snapshot(found[0].snapshot).context == {"n": "2"}
            assert verbs_of(run.pk) == ["edit_context"]


@pytest.mark.django_db(transaction=True)
def test_of_two_edits_at_once_none_is_lost(worker):
    run = failed(worker)
    at_once(*[lambda key=key: edit_context(run.id, {key: "1"}, []) for key in "abcd"])
    assert set(from_snapshot(now_of(run.id).snapshot).context) == {"n", *"abcd"}
    befores = [entry.detail["before"] for entry in AuditEntry.objects.all()]
    assert befores == [{}] * 4


# Going on


def test_going_on_elsewhere_counts_the_visits_there_were(worker):
    run = failed(worker)
    assert nodes_to_go_on_at(Execution.objects.get(pk=run.id)) == ["n1", "n2", "n3"]
    retry(run.id, 60.0, node="n1")
    now = now_of(run.id)
    state = from_snapshot(now.snapshot)
    assert (state.next_path, state.seq, state.attempt) == ("n1#2", 2, 0)
    assert state.visits == {"n1": 2, "n2": 1}
    assert (state.context, now.status) == ({"n": "1"}, "pending")


@pytest.mark.parametrize("act", [skip, retry, edit_context])
def test_a_run_that_is_gone_is_not_found(worker, act):
    run = failed(worker)
    pk = run.id
    Execution.objects.filter(pk=pk).delete()
    given = {skip: (None, None, None), retry: (None,), edit_context: ({}, [])}[act]
    with pytest.raises(ExecutionNotFound):
        act(pk, *given)


def test_what_can_be_done_is_read_without_a_lock_and_writes_nothing(worker):
    run = failed(worker)
    before = Execution.objects.filter(pk=run.id).values().get()
    assert paths_to_skip(Execution.objects.get(pk=run.id)) == ["n2"]
    assert nodes_to_go_on_at(Execution.objects.get(pk=run.id)) == ["n1", "n2", "n3"]
    assert Execution.objects.filter(pk=run.id).values().get() == before
