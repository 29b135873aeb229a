"""Ends that decide: the first failure, the winner of a race, `finish`. Each runs alone."""

import pytest

from durable_django.engine import values
from durable_django.models import Execution, StepRun
from durable_django.signals import execution_finished
from durable_django.store.checkpoint import write_wave
from durable_django.store.claiming import claim
from durable_django.store.ending import cancel

from .forks import (
    claim_strands,
    end_of,
    fork_of,
    forked,
    statuses_below,
    writing,
)
from .rows import at_once, checkpoint_of, claim_one, make_worker, now_of, seqs_of, step_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(db):
    return make_worker()


def failing(strand, tolerated=0, **fields):
    return end_of(strand, "failed", decides=True, tolerated=tolerated, **fields)


def winning(strand):
    return end_of(strand, decides=True)


def finishing(strand, result='"finished"', **fields):
    return end_of(strand, finishes=result, **fields)


# A failure, a winner


@pytest.mark.parametrize(("end", "status"), [(failing, "failed"), (winning, "completed")])
def test_an_end_that_decides_ends_those_beside_it_and_opens_the_join(worker, end, status):
    run = forked(worker, 5, 3)
    first, second, third = claim_strands(worker, run.id, 3)
    begun = step_of(1, "running", path="each[2]/send")
    write_wave(worker, [checkpoint_of(third, step=begun, replaces=True)])
    write_wave(worker, [end_of(first)])
    assert write_wave(worker, [end(second)]) == ["written"]
    parent = now_of(run.id)
    assert (parent.status, parent.remaining, parent.released_id) == ("pending", 0, None)
    assert parent.failures == (status == "failed")
    assert statuses_below(run.id) == ["completed", status] + ["cancelled"] * 3
    assert StepRun.objects.get(execution_id=third.id).status == "cancelled"
    assert write_wave(worker, [end_of(third)]) == ["lost"]
    assert not Execution.objects.filter(held_back=True).exists()
    assert claim_one(worker, run.id).id == run.id


def test_a_failure_that_is_tolerated_is_counted_like_any_end(worker):
    run = forked(worker, 4, 2)
    first, second = claim_strands(worker, run.id, 2)
    assert write_wave(worker, [failing(first, 1)]) == ["written"]
    parent = now_of(run.id)
    assert (parent.status, parent.remaining, parent.failures) == ("waiting", 3, 1)
    assert statuses_below(run.id) == ["failed", "running", "pending", "waiting"]
    assert write_wave(worker, [failing(second, 1)]) == ["written"]
    parent = now_of(run.id)
    assert (parent.status, parent.remaining, parent.failures) == ("pending", 0, 2)
    assert statuses_below(run.id) == ["failed"] * 2 + ["cancelled"] * 2


def test_a_tolerated_failure_may_be_the_last_end(worker):
    run = forked(worker, 1)
    (strand,) = claim_strands(worker, run.id, 1)
    write_wave(worker, [failing(strand, 1)])
    parent = now_of(run.id)
    assert (parent.status, parent.remaining, parent.failures) == ("pending", 0, 1)


def test_an_end_decides_only_about_its_own_block(worker):
    run = forked(worker, 2)
    first, second = claim_strands(worker, run.id, 2)
    write_wave(worker, [fork_of(first, 2, path="each[0]/inner")])
    inner, _ = claim_strands(worker, first.id, 2)
    assert write_wave(worker, [failing(inner)]) == ["written"]
    assert statuses_below(first.id) == ["failed", "cancelled"]
    assert statuses_below(run.id) == ["pending", "running"]
    assert write_wave(worker, [end_of(second)]) == ["written"]
    assert now_of(run.id).remaining == 1


def test_what_is_below_a_loser_is_ended_with_it(worker):
    run = forked(worker, 2)
    first, second = claim_strands(worker, run.id, 2)
    write_wave(worker, [fork_of(first, 3, 1, path="each[0]/inner")])
    (inner,) = claim_strands(worker, first.id, 1)
    write_wave(worker, [winning(second)])
    assert statuses_below(run.id) == ["cancelled", "completed"]
    assert statuses_below(first.id) == ["cancelled"] * 3
    assert write_wave(worker, [end_of(inner)]) == ["lost"]
    assert now_of(run.id).status == "pending"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("end", "status"), [(failing, "failed"), (winning, "completed")])
def test_of_two_that_decide_at_the_same_moment_exactly_one_does(end, status):
    one, two = make_worker(), make_worker()
    for _ in range(8):
        run = forked(one, 4, 3)
        (mine,) = claim_strands(one, run.id, 1)
        theirs, third = claim_strands(two, run.id, 2)
        got = at_once(
            writing(one, end(mine)),
            writing(two, end(theirs)),
            writing(two, checkpoint_of(third)),
        )
        assert sorted(got[:2]) == [["lost"], ["written"]]
        parent = now_of(run.id)
        assert (parent.status, parent.remaining) == ("pending", 0)
        assert parent.failures == (status == "failed")
        ended = statuses_below(run.id)
        assert sorted(ended[:2]) == sorted([status, "cancelled"])
        assert ended[2:] == ["cancelled"] * 2
        lost = theirs if got[0] == ["written"] else mine
        assert seqs_of(lost.id) == [], "a loser leaves no step run"
        cancel(run.id, "")


@pytest.mark.django_db(transaction=True)
def test_failures_at_the_same_moment_are_each_counted_until_they_are_too_many():
    workers = [make_worker() for _ in range(4)]
    for tolerated in (1, 2, 3, 4):
        run = forked(workers[0], 6)
        strands = claim_strands(workers[0], run.id, 6)
        held = [claim_again(*each) for each in zip(workers, strands, strict=False)]
        got = at_once(
            *[writing(w, failing(s, tolerated)) for w, s in zip(workers, held, strict=True)]
        )
        parent = now_of(run.id)
        written = min(tolerated + 1, 4)
        assert sorted(got) == [["lost"]] * (4 - written) + [["written"]] * written
        assert parent.failures == written
        assert statuses_below(run.id).count("failed") == written
        decided = written > tolerated
        assert (parent.status, parent.remaining) == (("pending", 0) if decided else ("waiting", 2))
        cancel(run.id, "")


def claim_again(worker, strand):
    """The same strand in another worker's hands."""
    Execution.objects.filter(pk=strand.id).update(worker_id=worker)
    return strand


# Finish


def test_finish_completes_the_run_and_ends_everything_below_it(worker):
    told = []

    def receive(sender, execution_id, status, **rest):
        told.append((sender, execution_id, status))

    run = forked(worker, 5, 3, timeout=60)
    first, second, third = claim_strands(worker, run.id, 3)
    write_wave(worker, [fork_of(third, 2, path="each[2]/inner")])
    write_wave(worker, [end_of(first, changes='[["increment","n",10]]')])
    execution_finished.connect(receive)
    try:
        end = finishing(second, '{"by":"second"}', changes='[["append","log",2]]')
        assert write_wave(worker, [end]) == ["written"]
    finally:
        execution_finished.disconnect(receive)
    row = now_of(run.id)
    assert (row.status, row.result, row.error) == ("completed", {"by": "second"}, None)
    assert row.context == {"n": 11, "log": [2]}
    assert (row.remaining, row.released_id, row.due_at) == (0, None, None)
    assert row.finished_at is not None
    assert statuses_below(run.id) == ["completed"] * 2 + ["cancelled"] * 3
    assert statuses_below(third.id) == ["cancelled"] * 2
    assert claim(worker, ["default"], 10) == []
    assert told == [], "told when it has committed"


@pytest.mark.django_db(transaction=True)
def test_a_finish_is_told_once_it_has_committed():
    told = []

    def receive(sender, execution_id, status, **rest):
        told.append((sender, execution_id, status, now_of(execution_id).status))

    worker = make_worker()
    run = forked(worker, 1)
    (strand,) = claim_strands(worker, run.id, 1)
    execution_finished.connect(receive)
    try:
        write_wave(worker, [finishing(strand)])
    finally:
        execution_finished.disconnect(receive)
    assert told == [("shop", run.id, "completed", "completed")]


def test_finish_deep_below_merges_what_had_completed_on_every_level(worker):
    run = forked(worker, 3)
    _, second, third = claim_strands(worker, run.id, 3)
    write_wave(worker, [end_of(third, changes='[["append","log","third"]]')])
    own = '[["append","log","second"]]'
    fork = fork_of(second, 3, path="each[1]/inner")
    snapshot = fork.move.snapshot.replace('"changes":[]', f'"changes":{own}')
    write_wave(worker, [fork._replace(move=fork.move._replace(snapshot=snapshot))])
    left, middle, right = claim_strands(worker, second.id, 3)
    write_wave(worker, [end_of(left, changes='[["append","log","left"]]')])
    write_wave(worker, [end_of(right, "failed", changes='[["append","log","right"]]')])
    end = finishing(middle, changes='[["append","log","middle"]]')
    assert end.end.above == (run.id, second.id)
    assert write_wave(worker, [end]) == ["written"]
    row = now_of(run.id)
    assert (row.status, row.result) == ("completed", "finished")
    assert row.context == {"n": 1, "log": ["second", "left", "middle", "third"]}
    assert statuses_below(run.id) == ["cancelled", "cancelled", "completed"]
    assert statuses_below(second.id) == ["completed", "completed", "failed"]


def test_a_finish_whose_changes_do_not_go_together_fails_the_run(worker):
    run = forked(worker, 2)
    first, second = claim_strands(worker, run.id, 2)
    write_wave(worker, [end_of(first, changes='[["append","log",1]]')])
    write_wave(worker, [finishing(second, changes='[["increment","log",1]]')])
    row = now_of(run.id)
    assert (row.status, row.result, row.error["type"]) == ("failed", None, "TypeError")
    assert row.context == {"n": 1}
    assert not Execution.objects.filter(finished_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_the_first_finish_wins():
    one, two = make_worker(), make_worker()
    for _ in range(8):
        run = forked(one, 2)
        (mine,), (theirs,) = claim_strands(one, run.id, 1), claim_strands(two, run.id, 1)
        got = at_once(
            writing(one, finishing(mine, '"mine"')),
            writing(two, finishing(theirs, '"theirs"')),
        )
        assert sorted(got) == [["lost"], ["written"]]
        won = "mine" if got[0] == ["written"] else "theirs"
        assert (now_of(run.id).status, now_of(run.id).result) == ("completed", won)


@pytest.mark.django_db(transaction=True)
def test_a_finish_and_a_cancel_at_the_same_moment_end_the_run_once():
    one, two = make_worker(), make_worker()
    for _ in range(8):
        run = forked(one, 2)
        (mine,), (theirs,) = claim_strands(one, run.id, 1), claim_strands(two, run.id, 1)
        write_wave(one, [fork_of(mine, 2, path=f"{mine.path}/inner")])
        inner, _ = claim_strands(one, mine.id, 2)
        got = at_once(
            writing(one, finishing(inner)),
            writing(two, failing(theirs)),
            lambda pk=run.id: cancel(pk, "").status,
        )
        status = now_of(run.id).status
        if got[0] == ["written"]:
            assert status == "completed"
        else:
            assert (got[0], got[2], status) == (["lost"], "cancelled", "cancelled"), got
        assert got[1][0] in ("written", "lost"), got
        assert not Execution.objects.filter(root_id=run.id, finished_at=None).exists(), got


def test_an_outcome_of_a_run_that_finished_is_dropped_with_its_changes(worker):
    run = forked(worker, 2)
    first, second = claim_strands(worker, run.id, 2)
    write_wave(worker, [finishing(first)])
    late = end_of(second, changes=values.encode([["set", "n", 9]], "changes"))
    assert write_wave(worker, [late]) == ["lost"]
    assert now_of(run.id).context == {"n": 1}
