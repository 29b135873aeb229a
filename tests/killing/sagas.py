"""Sagas whose workers are killed while they are undone; each handler leaves a row behind."""

import asyncio
import os
import signal
import time

from durable_django import Retry, Workflow, decision, foreach, loop, parallel, sequence, step
from tests.killing.models import Effect

SOON = Retry(max_attempts=20, backoff="constant", base=0.02)
# Long enough that a kill at random often hits a body.
STEP_SECONDS = 0.003


def note(self):
    """Tells that this attempt at a handler got to its end, and of which visit it is."""
    key = self.idempotency_key.partition(":")[2]
    Effect.objects.create(run=self.execution_id, node=key)


class Trip(Workflow):
    """Every shape, with a handler of every kind, and a last step that always fails."""

    class Meta:
        name = "killing.trip"

    @step
    def first(self):
        self.context["first"] = self.input["n"]

    @first.compensate
    def undo_first(self):
        note(self)
        self.context.append("undone", [self.context["first"], "first"])

    with loop(until=lambda self: self.iteration == 2) as turns:

        @step(atomic=True)
        def turn(self):
            return self.iteration

        @turn.compensate(retry=SOON)
        def undo_turn(self):
            note(self)
            if self.attempt == 1:
                raise ConnectionError("the first attempt always fails")
            self.context.append("undone", [self.iteration, self.outputs["turn"]])

    @turns.compensate
    def undo_turns(self):
        note(self)

    with parallel() as both:
        with foreach(lambda self: range(3), concurrency=2) as nights:

            @step
            def book(self):
                time.sleep(STEP_SECONDS)
                return self.item * 10

            @book.compensate
            def unbook(self):
                note(self)
                time.sleep(STEP_SECONDS)
                self.context.append("undone", [self.index, self.outputs["book"]])

        with sequence() as flight:

            @step
            async def seat(self):
                await asyncio.sleep(STEP_SECONDS)

            @seat.compensate
            def unseat(self):
                note(self)
                time.sleep(STEP_SECONDS)

            @step
            def meal(self): ...

            @meal.compensate
            def unmeal(self):
                note(self)
                raise RuntimeError("it has been eaten")

        @flight.compensate
        def unflight(self):
            note(self)

    @step
    def mark(self):
        return self.context.increment("marks")

    @mark.compensate
    def unmark(self):
        note(self)

    @decision(to=["mark"])
    def again(self):
        return "mark" if self.outputs["mark"] == 1 else None

    @again.compensate
    def unagain(self):
        note(self)

    @step
    def pay(self):
        raise ValueError("no money")


class Stuck(Workflow):
    """Waits inside its second step, so that it is cancelled, and one of its handlers kills."""

    class Meta:
        name = "killing.stuck"

    @step
    def first(self): ...

    @first.compensate
    def undo_first(self):
        note(self)

    @step
    def second(self): ...

    @second.compensate
    def undo_second(self):
        note(self)
        os.kill(os.getpid(), signal.SIGKILL)

    @step
    def third(self): ...

    @third.compensate
    def undo_third(self):
        note(self)

    @step
    def last(self):
        raise ValueError("original")
