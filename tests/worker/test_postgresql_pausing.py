"""Only PostgreSQL lets others write while an atomic step runs: a pause that comes meanwhile."""

import durable_django as durable
from durable_django import Workflow, foreach, step
from tests.waiting import until


def test_an_atomic_step_in_hand_ends_and_the_next_one_waits(workers):
    inside, latch = workers.latch(), workers.latch()

    class Order(Workflow):
        @step(atomic=True)
        def charge(self):
            inside.set()
            latch.wait(20)
            return 1

        @step
        def ship(self):
            return self.outputs["charge"] + 1

    run = Order.start()
    workers.start()
    assert inside.wait(20)
    assert durable.pause(run).status == "running"
    latch.set()
    until(lambda: durable.get_execution(run).status == "paused")
    assert [row.name for row in run.steps] == ["charge"]
    durable.resume(run)
    assert run.get_result(timeout=20) == 2


def test_an_atomic_member_in_hand_ends_and_is_counted(workers):
    latch = workers.latch()
    inside = [workers.latch() for _ in range(2)]

    class Fetch(Workflow):
        with foreach(lambda self: range(3), concurrency=2) as each:

            @step(atomic=True)
            def get(self):
                if self.index < 2:
                    inside[self.index].set()
                    latch.wait(20)
                return self.index

    run = Fetch.start()
    workers.start()
    assert all(each.wait(20) for each in inside)
    assert durable.pause(run).status == "paused"
    latch.set()
    until(lambda: durable.get_execution(run).remaining == 1)
    assert not run.members().filter(worker__isnull=False).exists()
    durable.resume(run)
    assert list(run.get_result(timeout=20)) == [0, 1, 2]
