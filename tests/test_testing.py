"""The test kit itself: what people rely on when they test their own workflows."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import TestCase, override_settings

import durable_django as api
from durable_django import (
    Fatal,
    Retry,
    Workflow,
    WorkflowNotFound,
    days,
    hours,
    step,
)
from durable_django.definition import registry
from durable_django.models import Execution, Worker
from durable_django.signals import execution_finished, step_finished
from durable_django.testing import assert_nodes_run, isolate_registry, reset, run, run_step


@pytest.fixture
def effects():
    """What the bodies did, told apart from what was recorded."""
    return []


@pytest.fixture
def Order(durable, effects):
    class Order(Workflow):
        class Meta:
            name = "order"

        @step
        def validate(self):
            effects.append("validate")
            self.context["items"] = [1]
            return self.attempt

        @step(retry=Retry(3, "constant", base=60))
        def charge(self):
            effects.append(f"charge {self.idempotency_key.removeprefix(str(self.execution_id))}")
            self.context["items"].append(2)
            self.context.increment("charged")
            return self.attempt

        @step(atomic=True)
        def book(self):
            effects.append("book")
            Group.objects.create(name=f"{self.execution_id}")
            return self.attempt

        @step
        async def confirm(self):
            effects.append("confirm")
            return self.attempt

    return Order


NODES = ["validate", "charge", "book", "confirm"]


def completed(run):
    return [(row.name, row.attempt) for row in run.steps.filter(status="completed").order_by("id")]


def test_run_drives_a_run_to_its_end(durable, Order):
    made = durable.run(Order, {"n": 1}, tags=["a"])
    assert (made.status, made.input, made.tags, made.result) == ("completed", {"n": 1}, ["a"], 1)
    durable.assert_status(made, "completed")
    durable.assert_nodes_run(made, NODES)
    durable.assert_nodes_run(made, [getattr(Order, name) for name in NODES])
    durable.assert_attempts(made, Order.charge, 1)
    durable.assert_context(made, items=[1, 2], charged=1)
    assert durable.run("order").status == "completed"


def test_drain_drives_everything_whoever_started_it(durable, Order):
    ids = [Order.start(queue="a").pk, *api.start_many(Order, [{}] * 70, queue="b", priority=5)]
    assert durable.drain() == 71 * 4
    assert {api.get_execution(pk).status for pk in ids} == {"completed"}
    assert durable.drain() == 0
    assert set(Worker.objects.values_list("status", flat=True)) == {"stopped"}


def test_time_is_moved_for_schedules_retries_and_timeouts(durable, Order):
    later = Order.start(scheduled_at=api.get_execution(Order.start().pk).created_at + days(3))
    with durable.fail_once(Order.charge):
        durable.drain()
    failed = api.list_executions(status="sleeping").get()
    durable.assert_attempts(failed, Order.charge, 1)
    durable.advance(59)
    durable.drain()
    durable.assert_status(failed, "sleeping")
    durable.advance(timedelta(seconds=2))
    durable.drain()
    durable.assert_status(failed, "completed")
    durable.assert_status(later, "scheduled")
    durable.advance(days(3))
    durable.drain()
    durable.assert_status(later, "completed")
    late = Order.start(timeout=hours(1))
    durable.advance(hours(2))
    durable.drain()
    durable.assert_status(late, "failed")


def test_a_duration_that_is_none_is_refused(durable):
    with pytest.raises(ValueError, match="duration is negative"):
        durable.advance(-1)
    with pytest.raises(TypeError, match="duration"):
        durable.advance("3 days")


def test_a_step_that_moves_time_past_its_own_timeout_has_timed_out(durable):
    class Slow(Workflow):
        @step(timeout=5, retry=Retry(2, "constant", base=1))
        def only(self):
            if self.attempt == 1:
                durable.advance(6)
            return self.attempt

    made = durable.run(Slow)
    assert [row.status for row in made.steps.all()] == ["timed_out"]
    assert made.steps.get().error["type"] == "StepTimeout"
    durable.advance(1)
    durable.drain()
    assert api.get_execution(made).result == 2


# Faults


def test_a_fault_fails_one_attempt_with_the_error_of_the_test(durable, Order, effects):
    with durable.fail_once(Order.validate, Fatal("no stock")):
        made = durable.run(Order)
    assert (made.status, made.error["type"], made.error["message"]) == (
        "failed",
        "Fatal",
        "no stock",
    )
    assert effects == []
    assert durable.run(Order).status == "completed"


@pytest.mark.parametrize("fault", ["crash_before", "crash_after"])
@pytest.mark.parametrize("name", NODES)
def test_a_worker_that_dies_costs_no_attempt_and_changes_nothing(
    durable, Order, effects, fault, name
):
    with getattr(durable, fault)(getattr(Order, name)):
        made = durable.run(Order)
    assert made.status == "completed", made.error
    assert completed(made) == [(node, 1) for node in NODES]
    assert made.steps.count() == 4
    assert made.context == {"items": [1, 2], "charged": 1}
    # A plain step whose worker died behind it runs again; an atomic one has taken effect once.
    again = 2 if fault == "crash_after" else 1
    assert [effect.split()[0] for effect in effects].count(name) == again
    assert Group.objects.filter(name=str(made.pk)).count() == 1
    assert len({effect for effect in effects if effect.startswith("charge")}) == 1


def test_runs_beside_the_one_whose_worker_died_go_on(durable, Order):
    ids = api.start_many(Order, [{}] * 5)
    with durable.crash_after(Order.charge):
        durable.drain()
    assert {api.get_execution(pk).status for pk in ids} == {"completed"}
    assert Worker.objects.filter(status="dead").count() == 1


@pytest.fixture
def Once(durable, effects):
    class Once(Workflow):
        @step(at_most_once=True, retry=Retry(3, "constant", base=1))
        def only(self):
            effects.append("only")
            return "done"

    return Once


@pytest.mark.parametrize(("fault", "times"), [("crash_before", 0), ("crash_after", 1)])
def test_an_at_most_once_step_whose_worker_died_inside_is_not_run_again(
    durable, Once, effects, fault, times
):
    with getattr(durable, fault)(Once.only):
        made = durable.run(Once)
    assert (made.status, made.error["type"]) == ("failed", "StepInterrupted")
    assert effects == ["only"] * times
    durable.assert_attempts(made, Once.only, 1)
    api.retry(made)
    durable.drain()
    assert api.get_execution(made).result == "done"
    assert effects == ["only"] * (times + 1)


def test_an_at_most_once_step_that_raises_is_retried(durable, Once):
    with durable.fail_once(Once.only):
        made = durable.run(Once)
    durable.advance(1)
    durable.drain()
    durable.assert_status(made, "completed")
    durable.assert_attempts(made, Once.only, 2)


@override_settings(DURABLE={"MAX_RECOVERIES": 2})
def test_a_run_whose_workers_die_in_one_node_again_and_again_fails(durable, Order, effects):
    beside = Order.start()
    # Only a start that was committed counts, and that of a run nobody suspects is not.
    faults = [durable.crash_before(Order.charge) for _ in range(3)]
    made = Order.start(priority=1)
    durable.drain()
    made = api.get_execution(made)
    assert (made.status, made.error["type"]) == ("failed", "WorkerLost")
    assert "MAX_RECOVERIES=2" in made.error["message"]
    assert [fault.struck for fault in faults] == [True] * 3
    assert completed(made) == [("validate", 1)]
    durable.assert_status(beside, "completed")
    api.retry(made)
    durable.drain()
    durable.assert_status(made, "completed")


@override_settings(DURABLE={"MAX_RECOVERIES": 1})
def test_workers_that_die_in_different_nodes_do_not_add_up(durable, Order):
    for name in NODES:
        durable.crash_before(getattr(Order, name))
    assert durable.run(Order).status == "completed"


def test_a_fault_strikes_the_node_it_was_made_for_and_no_namesake(durable):
    class Base(Workflow):
        class Meta:
            abstract = True

        @step
        def charge(self): ...

    class First(Base): ...

    class Second(Base):
        @step
        def charge(self): ...

    with durable.fail_once(Second.charge), durable.fail_once(First.charge):
        assert durable.run(First).status == "failed"
        assert durable.run(First).status == "completed"
        assert durable.run(Second).status == "failed"


def test_a_fault_that_did_not_happen_fails_the_test(durable, Order):
    fault = durable.crash_after(Order.charge)
    with pytest.raises(AssertionError, match="crash_after of charge did not happen"), fault:
        pass
    assert durable.run(Order).status == "completed"


def test_reset_puts_time_back_and_forgets_faults(durable, Order):
    durable.fail_once(Order.validate)
    durable.advance(days(1000))
    reset()
    made = durable.run(Order)
    assert made.status == "completed"
    assert made.created_at < Execution.objects.get().created_at + days(1)


# One body alone; no database: a query in these tests would be an error


def test_one_body_runs_without_a_database():
    with isolate_registry():

        class Sum(Workflow):
            @step
            def first(self): ...

            @step
            def add(self):
                self.context["trail"].append(self.step_name)
                return self.input["n"] + self.outputs["first"], self.attempt

            @step
            async def later(self):
                self.context["n"] = self.input
                self.finish("early")

        output, context = run_step(
            Sum.add, input={"n": 1}, outputs={"first": 2}, context={"trail": []}, attempt=3
        )
        assert (output, context) == ((3, 3), {"trail": ["add"]})
        assert run_step(Sum.later) == ("early", {"n": {}})


def test_what_the_body_raises_is_raised_and_values_pass_the_gate():
    with isolate_registry():

        class Bad(Workflow):
            @step
            def fails(self):
                raise Fatal("no")

            @step
            def gives(self):
                return object()

        with pytest.raises(Fatal, match="no"):
            run_step(Bad.fails)
        with pytest.raises(api.NotSerializable, match="output of gives"):
            run_step(Bad.gives)
        with pytest.raises(api.NotSerializable, match=r'context\["a"\]'):
            run_step(Bad.gives, context={"a": object()})
    with pytest.raises(LookupError, match="no registered workflow"):
        run_step(Bad.fails)


def test_classes_made_inside_are_forgotten():
    with isolate_registry():

        class Passing(Workflow):
            class Meta:
                name = "passing"

            @step
            def only(self): ...

        assert registry.get("passing") is Passing
    with pytest.raises(WorkflowNotFound):
        registry.get("passing")


# Assertions that fail say what they found


def test_assertions_that_fail_say_what_they_found(durable, Order):
    made = durable.run(Order)
    for check, words in [
        (lambda: durable.assert_status(made, "failed"), "is completed, not failed"),
        (lambda: durable.assert_nodes_run(made, ["validate"]), r"ran \['validate', 'charge'"),
        (lambda: durable.assert_attempts(made, "charge", 2), "made 1 attempts at charge, not 2"),
        (lambda: durable.assert_context(made, n=1), r"no context\['n'\], only \['charged'"),
        (lambda: durable.assert_context(made, charged=2), r"context\['charged'\] is 1, not 2"),
    ]:
        with pytest.raises(AssertionError, match=words):
            check()


def test_signals_tell_attempts_and_ends_but_not_a_run_that_only_sleeps(durable, Order):
    told = []

    def step_receiver(sender, node, status, attempt, **rest):
        told.append((sender, node, status, attempt))

    def end_receiver(sender, status, **rest):
        told.append((sender, status))

    step_finished.connect(step_receiver)
    execution_finished.connect(end_receiver)
    try:
        with durable.fail_once(Order.charge):
            durable.run(Order)
        assert told == [("order", "validate", "completed", 1), ("order", "charge", "failed", 1)]
        durable.advance(60)
        durable.drain()
    finally:
        step_finished.disconnect(step_receiver)
        execution_finished.disconnect(end_receiver)
    assert told[2:] == [
        ("order", "charge", "completed", 2),
        ("order", "book", "completed", 1),
        ("order", "confirm", "completed", 1),
        ("order", "completed"),
    ]


class InATestCase(TestCase):
    """The kit needs no pytest."""

    def test_a_run_in_the_transaction_of_a_test_case(self):
        with isolate_registry():

            class Order(Workflow):
                @step(atomic=True)
                def book(self):
                    Group.objects.create(name="booked")

                @step
                async def confirm(self):
                    return await Group.objects.acount()

            made = run(Order)
        assert (made.status, made.result) == ("completed", 1)
        assert_nodes_run(made, ["book", "confirm"])
