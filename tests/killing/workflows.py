"""Workflows whose workers are killed, frozen and cut off from their database."""

# ruff: noqa: SIM117  one with per block is how a workflow is written

import asyncio
import os
import signal
import time

from durable_django import (
    Retry,
    Workflow,
    branch,
    decision,
    foreach,
    loop,
    parallel,
    race,
    step,
)
from tests.killing.models import Effect

SOON = Retry(max_attempts=10, backoff="constant", base=0.05)
# Long enough that a kill at random often hits a body.
STEP_SECONDS = 0.003


class Survives(Workflow):
    """One step of every kind, each leaving a row behind."""

    class Meta:
        name = "killing.survives"

    @step
    def plain(self):
        Effect.objects.create(run=self.execution_id, node="plain")
        time.sleep(STEP_SECONDS)
        self.context["trail"] = ["plain"]
        return self.input["n"]

    @step(atomic=True)
    def atomic(self):
        Effect.objects.create(run=self.execution_id, node="atomic")
        time.sleep(STEP_SECONDS)
        self.context["trail"].append("atomic")
        return self.outputs["plain"] + 1

    @step(at_most_once=True)
    def single(self):
        Effect.objects.create(run=self.execution_id, node="single")
        time.sleep(STEP_SECONDS)
        self.context["trail"].append("single")

    @step(retry=SOON)
    def retried(self):
        Effect.objects.create(run=self.execution_id, node="retried")
        if self.attempt == 1:
            raise ConnectionError("the first attempt always fails")
        self.context["trail"].append("retried")
        return self.attempt

    @step
    async def later(self):
        await Effect.objects.acreate(run=self.execution_id, node="later")
        await asyncio.sleep(STEP_SECONDS)
        self.context["trail"].append("later")
        return {"n": self.outputs["atomic"], "trail": list(self.context["trail"])}


class Computes(Workflow):
    """As Survives, but only the atomic step uses the database, and may be tried again."""

    class Meta:
        name = "killing.computes"

    @step
    def plain(self):
        time.sleep(STEP_SECONDS)
        return self.input["n"]

    @step(atomic=True, retry=SOON)
    def atomic(self):
        Effect.objects.create(run=self.execution_id, node="atomic")
        return self.outputs["plain"] + 1

    @step(at_most_once=True)
    def single(self):
        return self.outputs["atomic"] + 1

    @step
    async def later(self):
        await asyncio.sleep(STEP_SECONDS)
        return self.outputs["single"] + 1

    @step
    def last(self):
        return self.outputs["later"] + 1


class Poison(Workflow):
    """Kills its worker each time."""

    class Meta:
        name = "killing.poison"

    @step
    def harmless(self):
        return "done"

    @step
    def kill(self):
        Effect.objects.create(run=self.execution_id, node="kill")
        os.kill(os.getpid(), signal.SIGKILL)


class Waits(Workflow):
    """Waits inside its step until a row says `go`."""

    class Meta:
        name = "killing.waits"

    @step
    def wait(self):
        Effect.objects.create(run=self.execution_id, node="inside")
        while not Effect.objects.filter(node="go").exists():
            time.sleep(0.02)
        return os.getpid()

    @step
    def after(self):
        return [self.outputs["wait"], os.getpid()]


class Turns(Workflow):
    """Loops, branches and jumps; the atomic steps leave a row for each visit."""

    class Meta:
        name = "killing.turns"

    with loop(until=lambda self: self.iteration == 3) as turns:
        with branch(on=lambda self: self.iteration % 2 == 1) as way:
            with way.case(True):

                @step(atomic=True)
                def odd(self):
                    node = f"odd {self.outputs.get('back')} {self.iteration}"
                    Effect.objects.create(run=self.execution_id, node=node)
                    time.sleep(STEP_SECONDS)
                    self.context.append("trail", self.iteration)
                    return self.iteration

            with way.default():

                @step
                def even(self):
                    time.sleep(STEP_SECONDS)
                    self.context.append("trail", self.iteration)
                    return self.iteration

    @decision(to=["turns"])
    def back(self):
        return "turns" if len(self.context["trail"]) < 6 else None

    @step
    def end(self):
        return self.context["trail"]


class Strands(Workflow):
    """Every kind of fork inside another; the atomic steps leave a row for each visit."""

    class Meta:
        name = "killing.strands"

    @step
    def begin(self):
        self.context["trail"] = ["begin"]

    with foreach(lambda self: range(self.input["items"]), concurrency=3) as each:
        with parallel() as both:

            @step(atomic=True)
            def left(self):
                Effect.objects.create(run=self.execution_id, node=f"left {self.index}")
                time.sleep(STEP_SECONDS)
                self.context.append("trail", f"left {self.index}")
                return "x" * 3_000

            @step(retry=SOON)
            async def right(self):
                await asyncio.sleep(STEP_SECONDS)
                if self.attempt == 1:
                    raise ConnectionError("the first attempt always fails")
                self.context.append("trail", f"right {self.index}")
                return self.item

        with race() as first:

            @step(atomic=True)
            def one(self):
                Effect.objects.create(run=self.execution_id, node=f"first {self.index}: one")
                time.sleep(STEP_SECONDS)
                return len(self.outputs["left"])

            @step(atomic=True)
            def two(self):
                Effect.objects.create(run=self.execution_id, node=f"first {self.index}: two")
                time.sleep(STEP_SECONDS)
                return len(self.outputs["both"]["left"])

        @step(atomic=True)
        def after(self):
            Effect.objects.create(run=self.execution_id, node=f"after {self.index}")
            return [self.index, self.outputs["right"], self.outputs["first"]]

    @step(atomic=True)
    def end(self):
        Effect.objects.create(run=self.execution_id, node="end")
        return list(self.outputs["each"])


class Newsletter(Workflow):
    """One atomic row for each of many items."""

    class Meta:
        name = "killing.newsletter"

    with foreach(lambda self: range(self.input["items"]), concurrency=50) as sending:

        @step(atomic=True)
        def send(self):
            Effect.objects.create(run=self.execution_id, node=f"send {self.index}")
            return self.item * 2

    @step
    def end(self):
        return list(self.outputs["sending"])


class PoisonItem(Workflow):
    """One of its items kills its worker each time."""

    class Meta:
        name = "killing.poison_item"

    with foreach(lambda self: range(6), on_error="collect") as each:

        @step
        def harmless(self):
            return "done"

        @step
        def kill(self):
            if self.item == 2:
                Effect.objects.create(run=self.execution_id, node="kill")
                os.kill(os.getpid(), signal.SIGKILL)
            return self.item
