"""Workflows that several tests of the worker run, made inside the test that wants them."""

from durable_django import Workflow, step


def make_quick():
    """One step, which gives the input's `n`."""

    class Quick(Workflow):
        @step
        def only(self):
            return self.input.get("n")

    return Quick


def make_held(workers):
    """Its first step waits for `Held.latch`, and tells in `Held.inside` that it does."""

    class Held(Workflow):
        latch, inside = workers.latch(), []

        @step
        def first(self):
            self.inside.append(self.execution_id)
            assert self.latch.wait(20)
            return "first"

        @step
        def second(self):
            return "second"

    return Held
