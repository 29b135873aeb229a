"""Start: a run is written once, with the caller's data, or not at all."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from durable_django.models import AuditEntry, Execution
from durable_django.store import clock
from durable_django.store.starting import insert, insert_many

from .rows import OPTIONS, OpenTransaction, at_once, make_run, now_of

LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.mark.django_db
def test_a_run_is_written_as_it_was_started():
    made = make_run('{"n":1}', queue="high", priority=-3, tags={"vip": True}, timeout=60)
    run = now_of(made.pk)
    assert (run.workflow_name, run.version, run.queue, run.priority) == ("shop", 1, "high", -3)
    assert (run.status, run.tags, run.input) == ("pending", {"vip": True}, {"n": 1})
    assert (run.root_id, run.parent_id, run.depth, run.kind) == (run.pk, None, 0, "workflow")
    assert run.ready_at == run.created_at
    assert run.timeout_at == run.due_at == run.created_at + timedelta(seconds=60)
    assert (run.lease, run.worker_id, run.started_at, run.finished_at) == (0, None, None, None)


@pytest.mark.django_db
def test_what_start_gives_is_the_row_as_it_is_read_back():
    made = make_run('{"n":1}', tags=["vip"], timeout=5, scheduled_at=LATER, idempotency_key="k")
    run = now_of(made.pk)
    for field in Execution._meta.concrete_fields:
        assert getattr(made, field.attname) == getattr(run, field.attname), field.name


@pytest.mark.django_db
def test_a_run_for_later_is_scheduled_and_its_timeout_counts_from_then():
    run = now_of(make_run(scheduled_at=LATER, timeout=60).pk)
    assert (run.status, run.ready_at, run.due_at) == ("scheduled", LATER, LATER)
    assert run.timeout_at == LATER + timedelta(seconds=60)


@pytest.mark.django_db
def test_a_run_scheduled_for_the_past_is_ready_and_its_timeout_counts_from_its_start():
    past = datetime(2000, 1, 1, tzinfo=UTC)
    run = now_of(make_run(scheduled_at=past, timeout=60).pk)
    assert (run.status, run.scheduled_at, run.ready_at) == ("pending", past, run.created_at)
    assert run.timeout_at == run.created_at + timedelta(seconds=60)


@pytest.mark.django_db
def test_a_timeout_beyond_the_calendar_is_no_timeout():
    run = now_of(make_run(scheduled_at=datetime(9999, 12, 31, tzinfo=UTC), timeout=10**9).pk)
    assert run.timeout_at is None


@pytest.mark.django_db
def test_a_key_that_is_taken_gives_the_run_that_has_it_and_writes_nothing():
    first = make_run('{"n":1}', idempotency_key="k")
    second = make_run('{"n":2}', idempotency_key="k")
    assert second.pk == first.pk
    assert second.input == {"n": 1}
    assert make_run(idempotency_key="k", workflow_name="other").pk != first.pk
    assert Execution.objects.count() == 2


@pytest.mark.django_db
def test_many_runs_are_written_in_their_order_over_several_statements():
    texts = [f'{{"n":{number}}}' for number in range(2_001)]
    ids = insert_many(OPTIONS, texts)
    assert ids == sorted(ids)
    inputs = dict(Execution.objects.values_list("id", "input_text"))
    assert [inputs[pk] for pk in ids] == texts
    assert insert_many(OPTIONS, []) == []


@pytest.mark.django_db
def test_many_runs_carry_the_same_options_and_what_is_read_back_is_what_one_start_writes():
    options = OPTIONS._replace(
        queue="high", priority=2, tags=["a", "ü"], timeout=60.5, scheduled_at=LATER
    )
    one = now_of(insert(options, '{"n":"€"}')[0].pk)
    many = now_of(insert_many(options, ['{"n":"€"}'])[0])
    differing = {
        field.attname
        for field in Execution._meta.concrete_fields
        if getattr(one, field.attname) != getattr(many, field.attname)
    }
    assert differing <= {"id", "root_id", "created_at"}


@pytest.mark.django_db
def test_of_many_runs_the_first_has_the_key_and_the_same_key_writes_nothing_again():
    options = OPTIONS._replace(idempotency_key="file")
    ids = insert_many(options, ['{"n":1}', '{"n":2}', '{"n":3}'], "ada")
    runs = [now_of(pk) for pk in ids]
    assert [run.idempotency_key for run in runs] == ["file", None, None]
    assert [run.input["n"] for run in runs] == [1, 2, 3]
    assert insert_many(options, ['{"n":4}'], "ada") == []
    assert (Execution.objects.count(), AuditEntry.objects.count()) == (3, 3)


@pytest.mark.django_db(transaction=True)
def test_many_runs_that_are_started_twice_at_once_are_started_once():
    options = OPTIONS._replace(idempotency_key="file")
    made = at_once(*[lambda: insert_many(options, ["{}"] * 3, "ada")] * 4)
    assert sorted(map(len, made)) == [0, 0, 0, 3]
    assert (Execution.objects.count(), AuditEntry.objects.count()) == (3, 3)


@pytest.mark.django_db(transaction=True)
def test_of_many_runs_all_are_written_or_none():
    texts = ["{}"] * 1_500
    with pytest.raises(Exception, match=r"(?i)null"):
        insert_many(OPTIONS, [*texts, None])  # type: ignore[list-item]
    assert Execution.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_start_in_the_callers_transaction_rolls_back_with_it():
    with transaction.atomic():
        make_run()
        make_run(idempotency_key="k")
        insert_many(OPTIONS, ["{}"] * 3)
        assert Execution.objects.count() == 5
        transaction.set_rollback(True)
    assert Execution.objects.count() == 0
    assert make_run(idempotency_key="k").pk


@pytest.mark.django_db(transaction=True)
def test_a_start_is_seen_by_others_when_the_callers_transaction_has_committed():
    with OpenTransaction(make_run) as other:
        seen = at_once(Execution.objects.count)
        other.end()
    assert seen == [0]
    assert Execution.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_starts_with_one_key_at_the_same_moment_one_writes_and_all_get_its_run():
    for number in range(10):
        key = f"k{number}"
        got = at_once(*[lambda key=key: make_run(idempotency_key=key).pk] * 6)
        assert len(set(got)) == 1, got
    assert Execution.objects.count() == 10


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("commits", [True, False])
def test_a_start_waits_for_one_with_the_same_key_that_has_not_committed_yet(commits):
    def start():
        return make_run(idempotency_key="k").pk

    with OpenTransaction(start, commits=commits) as other:
        # Let go only when this one has begun; whether it waits already makes no difference.
        got, _ = at_once(start, other.end)
    assert (got == other.gave) is commits
    assert list(Execution.objects.values_list("id", flat=True)) == [got]


@pytest.mark.django_db
def test_time_that_was_moved_counts_for_starts():
    first = make_run()
    clock.advance(timedelta(days=1))
    assert make_run().created_at - first.created_at >= timedelta(days=1)
