"""A run of ten thousand members is paused, resumed and run again in a few statements for each batch
of them; a rerun keeps a foreach of two thousand."""

import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

import durable_django as durable_api
from durable_django import Workflow, foreach, parallel, race, step, wait_for_event
from durable_django.models import Execution, StepRun

MEMBERS = 10_000
SECONDS_MAX = 60
# A few for each batch of 500 or 1,000 rows.
STATEMENTS_MAX = 250


class Counted(CaptureQueriesContext):
    """Few statements, in not too many seconds."""

    def __init__(self):
        super().__init__(connection)

    def __enter__(self):
        self.began_at = time.monotonic()
        return super().__enter__()

    def __exit__(self, *raised):
        super().__exit__(*raised)
        if raised[0] is None:
            assert len(self) < STATEMENTS_MAX
            assert time.monotonic() - self.began_at < SECONDS_MAX


@pytest.fixture
def large(durable):
    """A run whose ten thousand members wait for an event."""

    class Large(Workflow):
        class Meta:
            name = "large"

        @step
        def begin(self):
            return "begun"

        with foreach(lambda self: range(MEMBERS)) as each:

            @step
            def send(self):
                return self.index

        @step
        def end(self):
            return len(self.outputs["each"])

    run = Large.start()
    return run


def statuses_of(run):
    rows = run.members().filter(kind="strand").order_by()
    return set(rows.values_list("status", flat=True))


def forked(run):
    """The run, driven until it has made its members, of which none has begun."""
    from durable_django.store import claiming
    from durable_django.worker import inline

    driver = inline.InlineDriver()
    (claimed,) = claiming.claim(driver.worker_id, ["default"], 1)
    driver._serve(claimed)
    return durable_api.get_execution(run)


def test_ten_thousand_members_stop_and_go_on_in_a_few_statements(large):
    run = forked(large)
    assert (run.status, run.remaining) == ("waiting", MEMBERS)
    with Counted():
        durable_api.pause(run)
    assert statuses_of(run) == {"paused"}
    with Counted():
        durable_api.resume(run)
    assert statuses_of(run) == {"pending"}
    durable_api.pause(run)
    with Counted():
        durable_api.cancel(run)
    assert statuses_of(run) == {"cancelled"}
    with Counted():
        durable_api.retry(run)
    assert not Execution.objects.filter(root=run, paused_at__isnull=False).exists()
    assert durable_api.get_execution(run).remaining == MEMBERS


def test_a_rerun_keeps_ten_thousand_members_in_a_few_statements(large):
    run = forked(large)
    now = run.created_at
    rows = run.members().filter(kind="strand")
    rows.update(status="completed", finished_at=now, lease=1, result_text="7", held_back=False)
    Execution.objects.filter(pk=run.pk).update(status="pending", remaining=0, released_id=None)
    from durable_django.testing import drain

    drain()
    run = durable_api.get_execution(run)
    assert run.result == MEMBERS
    StepRun.objects.bulk_create(
        StepRun(
            execution_id=pk,
            seq=1,
            path=path + "/send",
            name="send",
            kind="step",
            attempt=1,
            status="completed",
            output_text="7",
            started_at=now,
            finished_at=now,
        )
        for pk, path in rows.values_list("id", "path")
    )
    with Counted():
        again = durable_api.rerun_from(run, "end")
    drain()
    again = durable_api.get_execution(again)
    assert (again.status, again.result) == ("completed", MEMBERS)
    assert again.members().filter(kind="strand").count() == MEMBERS
    assert set(again.outputs["each"]) == {7}


def test_a_rerun_of_a_rerun_keeps_a_foreach_and_a_race_of_many_without_the_originals(durable):
    class Wide(Workflow):
        with foreach(lambda self: range(2_000), on_error="collect") as each:

            @step
            def send(self):
                self.context.increment("n")
                if self.index == 1_000:
                    raise ValueError("no")
                return self.index

        with race() as first:
            never = wait_for_event("never")

            with parallel() as both:

                @step
                def one(self):
                    self.context.append("won", 1)
                    return 1

                @step
                def two(self):
                    self.context.append("won", 2)
                    return 2

        @step
        def end(self):
            given = self.outputs["each"]
            return [len(given), given[1_999], given[1_000].message, self.outputs["first"]]

    run = durable.run(Wide)
    expected = [2_000, 1_999, "no", {"winner": "both", "value": {"one": 1, "two": 2}}]
    assert run.result == expected
    for _ in range(2):
        again = durable_api.rerun_from(run, "end")
        tree = list(Execution.objects.filter(root=run).values_list("id", flat=True))
        StepRun.objects.filter(execution_id__in=tree).delete()
        Execution.objects.filter(id__in=tree).delete()
        durable.drain()
        run = durable_api.get_execution(again)
        assert (run.result, run.context) == (expected, {"n": 1_999, "won": [1, 2]})
