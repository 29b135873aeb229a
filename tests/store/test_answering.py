"""Answering an input: one answer counts, and who comes too late is told why."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from durable_django.exceptions import InvalidState
from durable_django.models import Execution, Wait
from durable_django.store import clock, wakeup
from durable_django.store.answering import answer
from tests.admin.rows import make_fork, make_run
from tests.inputs.waits import ask, make_wait
from tests.store.rows import at_once


def test_an_answer_is_kept_with_who_gave_it_and_when(db):
    wait = ask()
    before = clock.now()
    answer(wait.pk, '"approved"', by="anna", comment="fine")
    kept = Wait.objects.get(pk=wait.pk)
    assert (kept.status, kept.value, kept.answered_by, kept.comment) == (
        "answered",
        "approved",
        "anna",
        "fine",
    )
    assert before <= kept.answered_at <= clock.now()
    assert kept.resolved_at is None  # a worker does the rest
    assert Execution.objects.get().status == "waiting"


def refusal(wait):
    with pytest.raises(InvalidState) as caught:
        answer(wait.pk, '"rejected"', by="bob")
    return str(caught.value)


def test_the_second_answer_is_told_who_gave_the_first(db):
    wait = ask()
    answer(wait.pk, '"approved"', by="anna")
    assert f'"approval" of execution {wait.execution_id} was already answered by anna at' in (
        refusal(wait)
    )
    other = ask()
    answer(other.pk, '"approved"')
    assert "was already answered at" in refusal(other)
    assert Wait.objects.get(pk=wait.pk).value == "approved"


def test_an_answer_of_a_wait_that_is_over_is_told_so(db):
    done = make_wait(status="completed", answered_at=clock.now(), answered_by="anna")
    assert "was already answered by anna" in refusal(done)
    timed_out = make_wait(status="timed_out", due_at=clock.now())
    assert "was to be answered by 2" in refusal(timed_out)
    assert "is not waited for any more: it is cancelled" in refusal(make_wait(status="cancelled"))
    assert "its run is gone" in refusal(Wait(pk=10**12))


def test_an_answer_after_its_time_is_refused_before_any_worker_looked(db):
    wait = ask(due_at=clock.now() + timedelta(hours=1))
    clock.advance(timedelta(hours=2))
    try:
        assert "was to be answered by" in refusal(wait)
    finally:
        clock.reset()
    answer(wait.pk, '"approved"')


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "compensated"])
def test_a_run_that_has_ended_takes_no_answer(db, status):
    wait = ask(make_run(status))
    assert f"is not waited for any more: its run is {status}" in refusal(wait)


def test_a_member_that_has_ended_takes_no_answer(db):
    run = make_run("waiting")
    (strand,) = make_fork(run, ["cancelled"])
    assert "its run is cancelled" in refusal(ask(run, member=strand))


def test_only_inputs_are_answered(db):
    assert "is not waited for any more" in refusal(make_wait(kind="event"))


def test_an_answer_commits_with_the_transaction_of_the_caller(transactional_db):
    wait = ask()
    with transaction.atomic():
        answer(wait.pk, '"approved"')
        transaction.set_rollback(True)
    assert Wait.objects.get().status == "open"
    answer(wait.pk, '"approved"')
    assert Wait.objects.get().status == "answered"


def test_a_refusal_leaves_the_transaction_of_the_caller_usable(db):
    wait = ask()
    answer(wait.pk, '"approved"')
    with transaction.atomic():
        refusal(wait)
        assert Wait.objects.count() == 1


def test_workers_are_told(db, monkeypatch):
    told = []
    monkeypatch.setattr(wakeup, "notify_waits", lambda: told.append(1))
    wait = ask()
    answer(wait.pk, "1")
    refusal(wait)
    assert told == [1]


def test_the_first_statement_is_the_write(transactional_db):
    wait = ask()
    clock.now()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer(wait.pk, "1")
    said = [query["sql"] for query in queries if not query["sql"].startswith("BEGIN")]
    assert said[0].startswith("UPDATE")


# race: two-answers
def test_of_two_answers_at_once_exactly_one_counts(transactional_db):
    for _ in range(30):
        wait = ask()

        def give(by, pk=wait.pk):
            answer(pk, f'"{by}"', by=by)
            return by

        gave = at_once(lambda: give("anna"), lambda: give("bob"))
        refused = [found for found in gave if isinstance(found, InvalidState)]
        (winner,) = [found for found in gave if isinstance(found, str)]
        kept = Wait.objects.get(pk=wait.pk)
        assert (kept.answered_by, kept.value) == (winner, winner)
        assert f"was already answered by {winner}" in str(refused[0])
