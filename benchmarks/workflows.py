"""What is run: steps that do next to nothing, so that what is measured is the engine."""

import time

from durable_django import (
    Workflow,
    foreach,
    loop,
    sleep_until,
    step,
    wait_for_event,
    wait_for_input,
)

SLEEP_SECONDS = 0.01
SLOW_SECONDS = 1.0


class OneStep(Workflow):
    """One trivial step."""

    @step
    def first(self) -> dict[str, int]:
        return {"n": 1}


class ThreeSteps(OneStep):
    """Three trivial steps."""

    @step
    def second(self) -> dict[str, int]:
        return {"n": 2}

    @step
    def third(self) -> dict[str, int]:
        return {"n": 3}


class FiveSteps(ThreeSteps):
    """Five trivial steps."""

    @step
    def fourth(self) -> dict[str, int]:
        return {"n": 4}

    @step
    def fifth(self) -> dict[str, int]:
        return {"n": 5}


class Sleeping(Workflow):
    """Five steps that each wait 10 ms for something, as steps that call a service do."""

    @step
    def first(self) -> dict[str, int]:
        time.sleep(SLEEP_SECONDS)
        return {"n": 1}

    @step
    def second(self) -> dict[str, int]:
        time.sleep(SLEEP_SECONDS)
        return {"n": 2}

    @step
    def third(self) -> dict[str, int]:
        time.sleep(SLEEP_SECONDS)
        return {"n": 3}

    @step
    def fourth(self) -> dict[str, int]:
        time.sleep(SLEEP_SECONDS)
        return {"n": 4}

    @step
    def fifth(self) -> dict[str, int]:
        time.sleep(SLEEP_SECONDS)
        return {"n": 5}


class Slow(Workflow):
    """One step that takes a second."""

    @step
    def only(self) -> dict[str, int]:
        time.sleep(SLOW_SECONDS)
        return {"n": 1}


class ForEachItem(Workflow):
    """One trivial step for each of many items; all at once, or 50 at a time."""

    with foreach(lambda self: range(self.input["items"])) as each:

        @step
        def do(self) -> dict[str, int]:
            return {"n": 1}


class ForEachItemHeld(Workflow):
    """The same, 50 at a time."""

    with foreach(lambda self: range(self.input["items"]), concurrency=50) as each:

        @step
        def do(self) -> dict[str, int]:
            return {"n": 1}


def _is_through(self: Workflow) -> bool:
    return bool(self.iteration >= self.input["iterations"])


class LongLoop(Workflow):
    """One trivial step in a loop, counting in the context."""

    with loop(
        until=lambda self: self.iteration >= self.input["iterations"], max_iterations=10**6
    ) as counting:

        @step
        def count(self) -> int:
            total: int = self.context.increment("n")
            return total


class SleepsUntil(Workflow):
    """Sleeps until a moment that its input names."""

    nap = sleep_until(lambda self: self.input["at"])


class WaitsForEvent(Workflow):
    """Waits for an event."""

    paid = wait_for_event("payment", key=lambda self: self.input["key"])


class WaitsForInput(Workflow):
    """Waits for a person."""

    approval = wait_for_input(prompt="Well?")
