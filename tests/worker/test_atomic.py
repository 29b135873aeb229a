"""Atomic steps: ORM writes and checkpoint in one transaction, or neither."""

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction

import durable_django as durable
from durable_django import Retry, Workflow, step
from durable_django.exceptions import ExecutionFailed
from durable_django.models import StepRun
from tests.waiting import until


def names():
    return sorted(Group.objects.values_list("name", flat=True))


def test_an_atomic_steps_writes_stand_beside_its_checkpoint(workers):
    class Writes(Workflow):
        @step(atomic=True)
        def one(self):
            self.context["pk"] = Group.objects.create(name="one").pk
            return self.context["pk"]

        @step(atomic=True)
        def two(self):
            return Group.objects.filter(pk=self.outputs["one"]).update(name="two")

    run = Writes.start()
    workers.start()
    assert run.get_result(timeout=20) == 1
    assert names() == ["two"]
    run.refresh_from_db()
    assert run.context == {"pk": run.outputs["one"]}


def test_an_atomic_step_that_fails_leaves_nothing(workers):
    class Fails(Workflow):
        @step(atomic=True, retry=Retry(max_attempts=2, backoff="constant", base=0.01))
        def only(self):
            Group.objects.create(name=f"attempt {self.attempt}")
            self.context["attempt"] = self.attempt
            if self.attempt == 1:
                raise ValueError("not yet")
            return self.attempt

    run = Fails.start()
    workers.start()
    assert run.get_result(timeout=20) == 2
    assert names() == ["attempt 2"]


def test_finish_in_an_atomic_step_commits_it(workers):
    class Finishes(Workflow):
        @step(atomic=True)
        def only(self):
            Group.objects.create(name="kept")
            self.finish("early")

        @step
        def never(self):
            raise AssertionError("not reached")

    run = Finishes.start()
    workers.start()
    assert run.get_result(timeout=20) == "early"
    assert names() == ["kept"]


def test_a_swallowed_integrity_error_is_a_failed_attempt(workers):
    class Swallows(Workflow):
        @step(atomic=True)
        def only(self):
            Group.objects.create(name="twice")
            try:
                Group.objects.create(name="twice")
            except IntegrityError:
                pass
            return "all fine"

    run = Swallows.start()
    workers.start()
    with pytest.raises(ExecutionFailed):
        run.get_result(timeout=20)
    assert names() == []
    assert StepRun.objects.get(execution=run).status == "failed"


def test_an_error_in_a_savepoint_of_its_own_may_be_swallowed(workers):
    class Swallows(Workflow):
        @step(atomic=True)
        def only(self):
            Group.objects.create(name="twice")
            try:
                with transaction.atomic():
                    Group.objects.create(name="twice")
            except IntegrityError:
                return "all fine"

    run = Swallows.start()
    workers.start()
    assert run.get_result(timeout=20) == "all fine"
    assert names() == ["twice"]


def test_an_output_that_cannot_be_stored_rolls_the_step_back(workers):
    class Unstorable(Workflow):
        @step(atomic=True)
        def only(self):
            Group.objects.create(name="gone")
            return object()

    run = Unstorable.start()
    workers.start()
    with pytest.raises(ExecutionFailed, match="NotSerializable"):
        run.get_result(timeout=20)
    assert names() == []


def test_on_commit_runs_once_the_step_is_recorded(workers):
    seen = []

    class Commits(Workflow):
        @step(atomic=True)
        def only(self):
            run = self.execution_id
            transaction.on_commit(lambda: seen.append(StepRun.objects.get(execution=run).status))

    Commits.start()
    workers.start()
    until(lambda: seen)
    assert seen == ["completed"]


def test_a_start_in_an_atomic_step_comes_with_its_commit(workers):
    class Child(Workflow):
        @step
        def only(self):
            return self.input["attempt"]

    class Parent(Workflow):
        @step(atomic=True, retry=Retry(max_attempts=2, backoff="constant", base=0.01))
        def only(self):
            Child.start({"attempt": self.attempt})
            if self.attempt == 1:
                raise ValueError

    parent = Parent.start()
    workers.start()
    parent.get_result(timeout=20)
    child = durable.list_executions(workflow=Child).get()
    assert child.get_result(timeout=20) == 2


def test_an_error_that_is_not_the_connections_is_not_repeated(workers):
    bodies = []

    class Breaks(Workflow):
        @step(atomic=True)
        def only(self):
            bodies.append(1)
            with connection.cursor() as cursor:
                cursor.execute("SELECT nothing FROM nowhere")

    run = Breaks.start()
    workers.start()
    with pytest.raises(ExecutionFailed, match=r"ProgrammingError|OperationalError"):
        run.get_result(timeout=20)
    assert bodies == [1]
