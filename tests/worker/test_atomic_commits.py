"""A commit of an atomic step whose answer was lost: it has taken effect once, and is told so."""

from contextlib import contextmanager

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError

from durable_django import Workflow, step
from durable_django.testing import assert_nodes_run, assert_status, run
from durable_django.worker import apart

pytestmark = pytest.mark.django_db


class Commits:
    """Stands for `worker_transaction`; the first commit is done, or not, but never answered."""

    def __init__(self, done):
        self.transaction = apart.worker_transaction
        self.done = done
        self.seen = 0

    @contextmanager
    def __call__(self, worker_id):
        self.seen += 1
        if self.seen > 1:
            with self.transaction(worker_id):
                yield
            return
        if self.done:
            with self.transaction(worker_id):
                yield
            raise OperationalError("server closed the connection unexpectedly")
        with self.transaction(worker_id):
            yield
            raise _Deadlock("deadlock detected") from _Refused()


class _Refused(Exception):
    sqlstate = "40P01"


class _Deadlock(OperationalError):
    pass


@pytest.mark.parametrize("done", [True, False])
def test_an_atomic_step_takes_effect_once_whatever_becomes_of_its_commit(monkeypatch, done):
    commits = Commits(done)
    monkeypatch.setattr(apart, "worker_transaction", commits)
    bodies = []

    class Order(Workflow):
        @step(atomic=True)
        def book(self):
            bodies.append(self.attempt)
            self.context.increment("booked")
            Group.objects.create(name="booked")

        @step
        def confirm(self): ...

    made = run(Order)
    assert_status(made, "completed")
    assert_nodes_run(made, ["book", "confirm"])
    assert made.context == {"booked": 1}
    assert Group.objects.count() == 1
    assert bodies == ([1] if done else [1, 1])
    assert made.steps.get(name="book").attempt == 1
