"""What only row locks can show of strands: who waits for whom, and who passes by.

Collected on PostgreSQL only; see conftest.py.
"""

import threading

import pytest
from django.db import connection, connections, transaction

from durable_django.models import Execution, StepRun
from durable_django.store.checkpoint import fenced_write, write_wave
from durable_django.store.claiming import claim
from durable_django.store.ending import cancel
from durable_django.store.transactions import lock_execution
from tests.waiting import until

from .forks import claim_strands, end_of, fork_of, forked, statuses_below
from .rows import (
    OpenTransaction,
    at_once,
    checkpoint_of,
    held,
    make_worker,
    now_of,
    seqs_of,
    step_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker(transactional_db):
    return make_worker()


def waiting_for_a_lock() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone()[0]


class Behind:
    """`act` in a thread of its own, which has come to wait for a lock when this is made."""

    def __init__(self, act):
        self._act = act
        self._gave = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        until(waiting_for_a_lock)

    def _run(self):
        try:
            self._gave = self._act()
        except Exception as error:
            self._gave = error
        finally:
            connections.close_all()

    def end(self):
        """What `act` gave once it had the lock."""
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self._gave


def test_a_cascade_waits_for_a_strand_that_forks_and_ends_what_it_forked(worker):
    # race: fork-under-cascade
    run = forked(worker, 2)
    strand, _ = claim_strands(worker, run.id, 2)
    fork = fork_of(strand, 3, path="each[0]/inner")
    with OpenTransaction(lambda: write_wave(worker, [fork])) as forking:
        cancelling = Behind(lambda: cancel(run.id, "").status)
        assert statuses_below(strand.id) == [], "not committed yet: nobody can see them"
        forking.end()
        assert cancelling.end() == "cancelled"
    assert forking.gave == ["written"]
    assert statuses_below(strand.id) == ["cancelled"] * 3
    assert not Execution.objects.filter(finished_at=None).exists()


def test_a_strand_cannot_fork_any_more_once_the_cascade_has_come_by(worker):
    run = forked(worker, 2)
    strand, _ = claim_strands(worker, run.id, 2)
    fork = fork_of(strand, 3, path="each[0]/inner")
    with OpenTransaction(lambda: cancel(run.id, "")):
        assert write_wave(worker, [fork]) == ["locked"]
    assert write_wave(worker, [fork]) == ["lost"]
    assert statuses_below(strand.id) == []


def test_an_end_whose_parent_somebody_holds_is_written_later(worker):
    other = held(worker)
    run = forked(worker, 2)
    mine = claim_strands(worker, run.id, 2)
    wave = [end_of(mine[0]), checkpoint_of(other), end_of(mine[1])]
    with OpenTransaction(lambda: lock_execution(run.id)):
        assert write_wave(worker, wave) == ["locked", "written", "locked"]
        assert statuses_below(run.id) == ["running"] * 2
        decides = end_of(mine[0], "failed", decides=True)
        assert write_wave(worker, [decides]) == ["locked"]
        finishes = end_of(mine[0], finishes='"value"')
        assert write_wave(worker, [finishes]) == ["locked"]
    assert write_wave(worker, [wave[0], wave[2]]) == ["written"] * 2
    assert (now_of(run.id).status, now_of(run.id).remaining) == ("pending", 0)


def test_an_end_whose_own_row_somebody_holds_is_not_counted_before_it_is_written(worker):
    run = forked(worker, 2)
    first, second = claim_strands(worker, run.id, 2)
    with OpenTransaction(lambda: lock_execution(first.id)):
        assert write_wave(worker, [end_of(first), end_of(second)]) == ["locked", "written"]
        assert now_of(run.id).remaining == 1
    assert write_wave(worker, [end_of(first)]) == ["written"]
    assert now_of(run.id).remaining == 0


def test_a_finish_takes_the_locks_of_all_that_stands_above(worker):
    run = forked(worker, 2)
    first, _ = claim_strands(worker, run.id, 2)
    write_wave(worker, [fork_of(first, 1, path="each[0]/inner")])
    (inner,) = claim_strands(worker, first.id, 1)
    finish = end_of(inner, finishes='"value"')
    for above in (run.id, first.id):
        with OpenTransaction(lambda pk=above: lock_execution(pk)):
            assert write_wave(worker, [finish]) == ["locked"]
    assert write_wave(worker, [finish]) == ["written"]
    assert now_of(run.id).status == "completed"


def test_a_wave_of_another_worker_does_not_wait_for_the_counting_of_this_one(worker):
    other = make_worker()
    run = forked(worker, 2)
    (mine,) = claim_strands(worker, run.id, 1)
    (theirs,) = claim_strands(other, run.id, 1)
    with OpenTransaction(lambda: write_wave(worker, [end_of(mine)])):
        assert write_wave(other, [end_of(theirs)]) == ["locked"]
        assert write_wave(other, [checkpoint_of(theirs)]) == ["written"]
    assert write_wave(other, [end_of(theirs, seq=2)]) == ["written"]
    assert (now_of(run.id).status, now_of(run.id).remaining) == ("pending", 0)


def test_a_cascade_waits_for_a_wave_and_keeps_what_it_wrote(worker):
    run = forked(worker, 3)
    first, second, third = claim_strands(worker, run.id, 3)
    wave = [checkpoint_of(first), checkpoint_of(second)]
    with OpenTransaction(lambda: write_wave(worker, wave)) as writing:
        cancelling = Behind(lambda: cancel(run.id, "").status)
        writing.end()
        assert cancelling.end() == "cancelled"
    assert writing.gave == ["written"] * 2
    assert statuses_below(run.id) == ["cancelled"] * 3
    assert [seqs_of(strand.id) for strand in (first, second, third)] == [[1], [1], []]
    late = [checkpoint_of(first, 2), end_of(third)]
    assert write_wave(worker, late) == ["lost"] * 2


def test_an_atomic_end_waits_for_its_parent_and_sees_what_happened_meanwhile(worker):
    """In its own transaction it may wait; what decided meanwhile it finds in its own row."""

    def in_its_transaction(end):
        with transaction.atomic():
            return fenced_write(worker, [end], False, wait=True)

    run = forked(worker, 3)
    first, second, _ = claim_strands(worker, run.id, 3)
    with OpenTransaction(lambda: write_wave(worker, [end_of(first)])) as counting:
        waiting = Behind(lambda: in_its_transaction(end_of(second)))
        counting.end()
        assert waiting.end() == ["written"]
    assert now_of(run.id).remaining == 1
    again = forked(worker, 2)
    mine, beside = claim_strands(worker, again.id, 2)
    decides = end_of(beside, "failed", decides=True)
    with OpenTransaction(lambda: write_wave(worker, [decides])) as deciding:
        waiting = Behind(lambda: in_its_transaction(end_of(mine)))
        deciding.end()
        assert waiting.end() == ["lost"]
    assert seqs_of(mine.id) == []
    assert (now_of(again.id).status, now_of(again.id).failures) == ("pending", 1)


def test_a_claim_and_a_cascade_do_not_wait_for_each_other_for_ever(worker):
    """Strands are claimed, begin, end and are cancelled at the same moment, again and again."""
    for _ in range(10):
        run = forked(worker, 12, 6)
        first = claim_strands(worker, run.id, 1)[0]
        got = at_once(
            lambda: [strand.id for strand in claim(worker, ["default"], 3)],
            lambda s=first: write_wave(worker, [end_of(s)]),
            lambda: [strand.id for strand in claim(worker, ["default"], 3)],
            lambda pk=run.id: cancel(pk, "").status,
        )
        assert got[-1] == "cancelled", got
        assert not [answer for answer in got if isinstance(answer, Exception)], got
        assert not Execution.objects.filter(root_id=run.id, finished_at=None).exists()
        assert not StepRun.objects.filter(status="running").exists()


def test_a_step_run_of_a_lost_strand_is_not_written_by_a_wave_that_came_late(worker):
    run = forked(worker, 2)
    strand, _ = claim_strands(worker, run.id, 2)
    note = checkpoint_of(strand, step=step_of(1, "running", path="each[0]/send"), replaces=True)
    with OpenTransaction(lambda: cancel(run.id, "")):
        assert write_wave(worker, [note]) == ["locked"]
    assert write_wave(worker, [note]) == ["lost"]
    assert not StepRun.objects.filter(execution_id=strand.id).exists()
