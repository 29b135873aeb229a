"""Workflows to fall ill with, and the doctor's visit: what it finds, and what healing does."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

from durable_django import (
    Workflow,
    call_workflow,
    doctor,
    foreach,
    hours,
    parallel,
    sleep_for,
    step,
    wait_for_event,
    wait_for_input,
)
from durable_django.definition import registry
from durable_django.models import Execution, Worker
from durable_django.store import clock
from tests.admin.rows import make_worker

# What says something of the fleet, the settings and the past, in each test's small database.
OF_NO_RUN = ("no_worker", "failed", "check", "workers_differ")


class Pays(Workflow):
    """Waits for an event."""

    class Meta:
        name = "sick.pays"

    paid = wait_for_event("paid")

    @step
    def ship(self):
        self.context["paid"] = self.outputs["paid"]


class Sleeps(Workflow):
    """Sleeps."""

    class Meta:
        name = "sick.sleeps"
        timeout = hours(10)

    pause = sleep_for(hours(1))

    @step
    def go_on(self):
        self.context["awake"] = True


class Sends(Workflow):
    """Forks; each of its members waits for an event of its own."""

    class Meta:
        name = "sick.sends"

    @step
    def names(self):
        return self.input["names"]

    with foreach(names) as sending:
        gone = wait_for_event("gone", key=lambda self: self.item)

        @step
        def note(self):
            self.context.append("gone", self.item)

    @step
    def after(self):
        self.context["after"] = True


class OneByOne(Workflow):
    """Forks; one member at a time."""

    class Meta:
        name = "sick.one_by_one"

    @step
    def names(self):
        return self.input["names"]

    with foreach(names, concurrency=1) as sending:

        @step
        def note(self):
            self.context.append("gone", self.item)


class Turns(Workflow):
    """Forks; one member at a time, each of which waits."""

    class Meta:
        name = "sick.turns"

    @step
    def names(self):
        return self.input["names"]

    with foreach(names, concurrency=1) as sending:
        gone = wait_for_event("gone", key=lambda self: self.item)

        @step
        def note(self):
            self.context.append("gone", self.item)


class Child(Workflow):
    """Is called."""

    class Meta:
        name = "sick.child"

    go = wait_for_event("go")

    @step
    def give(self):
        return 7


class Parent(Workflow):
    """Calls."""

    class Meta:
        name = "sick.parent"

    called = call_workflow(Child)

    @step
    def take(self):
        self.context["child"] = self.outputs["called"]


class Asks(Workflow):
    """Asks somebody."""

    class Meta:
        name = "sick.asks"

    boss = wait_for_input("boss", prompt="May I?")


class Mixed(Workflow):
    """A parallel of a wait and a step, which has rows for both."""

    class Meta:
        name = "sick.mixed"

    with parallel() as both:
        paid = wait_for_event("paid")
        pause = sleep_for(hours(1))

        @step
        def ship(self):
            return "shipped"


ALL = (Pays, Sleeps, Sends, OneByOne, Turns, Child, Parent, Asks, Mixed)


@contextmanager
def nothing_else_registered():
    """Workflows of other tests may be declared wrongly, or with schedules: nobody's business."""
    with registry.isolate():
        registry._classes.clear()
        for workflow in ALL:
            registry.register(workflow)
        yield


def found(*, of_all=False):
    """Code -> finding."""
    findings = {finding.code: finding for finding in doctor.examine()}
    if of_all:
        return findings
    return {code: each for code, each in findings.items() if code not in OF_NO_RUN}


def healed(code, by="ada"):
    """How many the fix of the finding of that code has healed; after it, it is found no more."""
    number = doctor.fix(found()[code], by=by)
    assert code not in found()
    return number


def staffed(**fields):
    """Some worker lives, and serves the queue."""
    return make_worker(heartbeat_at=clock.now(), started_at=clock.now(), **fields)


def changed(run, **columns):
    """The row as somebody or something has left it."""
    Execution.objects.filter(pk=run.pk).update(**columns)


def now_of(run):
    return Execution.objects.get(pk=run.pk)


def later(**span):
    return clock.now() + timedelta(**span)


def still_alive():
    """Every living worker beats, now that time was moved."""
    Worker.objects.filter(status="alive").update(heartbeat_at=clock.now())
