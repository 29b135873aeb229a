"""Runs that wait, whose workers are killed between any two statements of parking and waking."""

import time
from datetime import timedelta

from django.utils import timezone

from durable_django import (
    Retry,
    Workflow,
    call_workflow,
    hours,
    race,
    send_event,
    sleep_for,
    step,
    wait_for_all,
    wait_for_any,
    wait_for_approval,
    wait_for_event,
)
from tests.killing.models import Effect

SOON_SECONDS = 0.05


class Hears(Workflow):
    """Waits for an event, and tells what it got."""

    class Meta:
        name = "killing.hears"

    heard = wait_for_event("go", key=lambda self: self.input.get("key"))

    @step
    def last(self):
        return self.outputs["heard"]


class HearsLater(Workflow):
    """Sleeps before it waits: what is sent meanwhile is kept."""

    class Meta:
        name = "killing.hears_later"

    pause = sleep_for(SOON_SECONDS)
    one = wait_for_any(["go", "never"])
    both = wait_for_all(["go", "more"])

    @step
    def last(self):
        return [self.outputs["one"], self.outputs["both"]]


class Asks(Workflow):
    """Waits for a person."""

    class Meta:
        name = "killing.asks"

    asked = wait_for_approval()

    @step
    def last(self):
        return [self.outputs["asked"], self.answers["asked"].comment]


class Late(Workflow):
    """Two timers: a sleep, and the time a wait is given."""

    class Meta:
        name = "killing.late"

    pause = sleep_for(SOON_SECONDS)
    heard = wait_for_event("never", timeout=SOON_SECONDS, timeout_value="late")

    @step
    def last(self):
        return self.outputs["heard"]


class Child(Workflow):
    """Ends at once, with its atomic step."""

    class Meta:
        name = "killing.child"

    @step(atomic=True)
    def only(self):
        Effect.objects.create(run=self.execution_id, node="child")
        return self.input["n"] * 2


class PlainChild(Workflow):
    """Ends at once, with a wave."""

    class Meta:
        name = "killing.plain_child"

    @step
    def only(self):
        return self.input["n"] * 2


class Calls(Workflow):
    """Calls two children, declared."""

    class Meta:
        name = "killing.calls"

    first = call_workflow(Child, lambda self: {"n": 20})
    second = call_workflow(PlainChild, {"n": 1})

    @step
    def last(self):
        return self.outputs["first"] + self.outputs["second"]


class GivesUp(Workflow):
    """Waits for a child no longer than a moment."""

    class Meta:
        name = "killing.gives_up"

    called = call_workflow(Hears, timeout=SOON_SECONDS, timeout_value="late")

    @step
    def last(self):
        return self.outputs["called"]


class RunsOut(Workflow):
    """Its own time is up while it waits for a child."""

    class Meta:
        name = "killing.runs_out"
        timeout = 0.3

    called = call_workflow(Hears)


class Talks(Workflow):
    """Everything a step can wait for, in one body."""

    class Meta:
        name = "killing.talks"

    @step
    def talk(self):
        token = self.once("token", self._token)
        started = self.start_workflow(Child, {"n": 1})
        called = self.call_workflow(Child, {"n": 2})
        heard = self.wait_for_event("go")
        self.context.append("heard", heard)
        return [token, str(started), called, heard]

    def _token(self):
        effect = Effect.objects.create(run=self.execution_id, node="token")
        return effect.pk

    @step
    def last(self):
        return [*self.outputs["talk"], self.context["heard"]]


class Races(Workflow):
    """Members that wait, of which one wins."""

    class Meta:
        name = "killing.races"

    with race() as first:
        heard = wait_for_event("go")
        late = sleep_for(hours(1))

    @step
    def last(self):
        return self.outputs["first"]


class Clocked(Workflow):
    """Waits in every way for a time, and tells by which clock its steps ran."""

    class Meta:
        name = "killing.clocked"
        timeout = 600

    pause = sleep_for(lambda self: self.input["seconds"])

    @step(retry=Retry(max_attempts=2, backoff="constant", base=0.3))
    def first(self):
        self.logger.info("attempt %d", self.attempt)
        self.context.append("clocks", time.time())
        if self.attempt == 1:
            raise ConnectionError("the first attempt always fails")

    heard = wait_for_event("go", timeout=lambda self: self.input["seconds"], timeout_value="late")

    @step
    def second(self):
        self.context.append("clocks", time.time())
        send_event(self.execution_id, "kept", self.input["seconds"], idempotency_key="k")
        self.sleep_until(timezone.now() + timedelta(days=-1))
        return self.wait_for_event("never", timeout=self.input["seconds"], timeout_value="late")

    kept = wait_for_event("kept", timeout=30)
    called = call_workflow(Hears, timeout=lambda self: self.input["seconds"], timeout_value="late")

    @step
    def last(self):
        self.context.append("clocks", time.time())
        return [self.outputs[name] for name in ("heard", "second", "kept", "called")]


class Naps(Workflow):
    """Sleeps, nothing else."""

    class Meta:
        name = "killing.naps"

    pause = sleep_for(lambda self: self.input["seconds"])
