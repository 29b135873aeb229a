"""What is claimed and cannot begin is left in no hands that do nothing; nor is what was claimed
with it, whatever the reason."""

import logging

import pytest

import durable_django as durable
from durable_django import Retry, Workflow, race, step, wait_for_event
from durable_django.exceptions import ExecutionFailed
from durable_django.models import Execution
from durable_django.store import claiming, inheriting
from durable_django.worker import leader as leading
from durable_django.worker import loop as looping
from durable_django.worker.inline import InlineDriver
from durable_django.worker.run import Run
from tests.waiting import until
from tests.worker.workflows import make_quick


def test_a_member_whose_block_is_over_before_its_parent_is_read_harms_nobody(
    workers, said, monkeypatch
):
    # race: over-since-the-claim
    class First(Workflow):
        with race() as first:
            heard = wait_for_event("go")

            @step(retry=Retry(3, backoff="constant", base=3_600))
            def late(self):
                raise ConnectionError

        @step
        def after(self):
            return self.outputs["first"]["winner"]

    run = First.start()
    InlineDriver().drain()
    late = Execution.objects.filter(parent=run, path="first/late")
    assert late.update(status="pending", wake_at=None, due_at=None) == 1
    beside = durable.start_many(make_quick(), [{"n": n} for n in range(5)])
    inherited_by, ended = claiming.inherited_by, []

    def end_the_block_and_inherit(strands):
        if not ended:
            ended.append(late.get().status)
            durable.send_event(run, "go")
            until(lambda: InlineDriver().drain() >= 0 and durable.get_execution(run).is_final)
            inheriting.forget([run.pk])
        return inherited_by(strands)

    monkeypatch.setattr(claiming, "inherited_by", end_the_block_and_inherit)
    with said() as records:
        service = workers.start()
        assert [durable.get_result(pk, timeout=20) for pk in beside] == list(range(5))
        until(lambda: ended and not service.pool.runs)
    assert ended == ["running"], "it was claimed"
    assert (run.get_result(timeout=20), late.get().status) == ("heard", "cancelled")
    assert [r.getMessage() for r in records if r.levelno >= logging.ERROR] == []


def test_a_run_that_is_at_nothing_the_engine_understands_fails_and_nothing_else(
    workers, monkeypatch
):
    quick = make_quick()
    ids = durable.start_many(quick, [{"n": n} for n in range(6)])
    next_visit = Run.next_visit

    def faulty(run):
        if run.id == ids[1]:
            raise IndexError("a fault of our own")
        return next_visit(run)

    monkeypatch.setattr(Run, "next_visit", faulty)
    workers.start()
    with pytest.raises(ExecutionFailed, match="a fault of our own"):
        durable.get_result(ids[1], timeout=20)
    fine = [pk for pk in ids if pk != ids[1]]
    assert [durable.get_result(pk, timeout=20) for pk in fine] == [0, 2, 3, 4, 5]


def test_what_a_leader_had_claimed_when_it_failed_is_given_back(workers, monkeypatch):
    ids = durable.start_many(make_quick(), [{"n": n} for n in range(5)])
    lost = []
    claim = leading.claim

    def claim_and_fail(*args, **options):
        found = claim(*args, **options)
        if found and not lost:
            lost.extend(found)
            raise RuntimeError("a fault of our own")
        return found

    monkeypatch.setattr(leading, "claim", claim_and_fail)
    workers.start()
    assert [durable.get_result(pk, timeout=20) for pk in ids] == list(range(5))
    assert lost
    assert not Execution.objects.filter(suspect=True).exists()


def test_an_async_step_whose_end_cannot_be_told_is_run_again(workers, monkeypatch):
    class Later(Workflow):
        @step
        async def only(self):
            return self.input["n"]

    faults = []
    conclude = looping.conclude

    def faulty(attempt, outcome):
        if not faults:
            faults.append(attempt.run.id)
            raise RuntimeError("a fault of our own")
        return conclude(attempt, outcome)

    monkeypatch.setattr(looping, "conclude", faulty)
    ids = durable.start_many(Later, [{"n": n} for n in range(3)])
    workers.start()
    assert [durable.get_result(pk, timeout=20) for pk in ids] == [0, 1, 2]
    assert faults


def test_what_is_passed_over_when_it_is_handed_back_is_looked_for_again(
    workers, durable_settings, monkeypatch
):
    durable_settings(POLL_SECONDS=0.1)
    latch = workers.latch()

    class Slow(Workflow):
        @step
        def only(self):
            assert latch.wait(20)
            return self.input["n"]

    release, passed_over = leading.release, []

    def pass_over(worker_id, leases):
        if leases and not passed_over:  # as where somebody's transaction has its lock
            passed_over.extend(leases)
            return 0
        return release(worker_id, leases)

    monkeypatch.setattr(leading, "release", pass_over)
    ids = durable.start_many(Slow, [{"n": n} for n in range(2)])
    service = workers.start(threads=1)
    until(lambda: passed_over and service.pool.unsure)
    latch.set()
    assert [durable.get_result(pk, timeout=20) for pk in ids] == [0, 1]


def test_what_is_held_here_and_in_no_memory_is_given_back_within_a_lease(workers, durable_settings):
    durable_settings(HEARTBEAT_SECONDS=0.1, LEASE_SECONDS=1.5)
    service = workers.start()
    run = make_quick().start({"n": 1}, queue="of nobody")
    until(lambda: service.pool.leader_waits)
    (claimed,) = claiming.claim(service.pool.worker_id, ["of nobody"], 1)
    assert claimed.id == run.pk
    until(lambda: Execution.objects.get(pk=run.pk).worker_id is None)
    assert Execution.objects.get(pk=run.pk).status == "pending"
