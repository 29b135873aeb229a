"""Bad steps: each ends in a clear error on its run, never in a stuck run or a dead worker."""

import sys
import threading

import pytest

import durable_django as durable
from durable_django import Retry, Workflow, step
from durable_django.exceptions import ExecutionFailed
from durable_django.models import StepRun


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __str__


class ExitsWhenSpoken(Exception):
    def __str__(self):
        sys.exit(3)


class NotText(Exception):
    def __str__(self):
        return 7


class Endless(Exception):
    def __str__(self):
        return str(self)


def recursion():
    return recursion()


def raising(error):
    def body():
        raise error

    return body


def grouped():
    raise ExceptionGroup("several", [ValueError("a\0b"), Unspeakable()])


def noted():
    error = ValueError("with notes")
    error.add_note("a \0 note")
    raise error


BODIES = {
    "returns an object": (lambda: object(), "NotSerializable"),
    "returns a lambda in a list": (lambda: [1, {"f": print}], "NotSerializable"),
    "returns NaN": (lambda: float("nan"), "NotSerializable"),
    "returns NUL": (lambda: "a\0b", "NotSerializable"),
    "returns a surrogate": (lambda: "\ud800", "NotSerializable"),
    "returns too much": (lambda: "x" * 2_000_000, "PayloadTooLarge"),
    "returns a generator": (lambda: (n for n in range(3)), "NotSerializable"),
    "exits": (lambda: sys.exit("enough"), "SystemExit"),
    "interrupts": (raising(KeyboardInterrupt()), "KeyboardInterrupt"),
    "leaves": (raising(GeneratorExit()), "GeneratorExit"),
    "stops": (raising(StopIteration(1)), "StopIteration"),
    "cannot be told": (raising(Unspeakable()), "Unspeakable"),
    "exits when told": (raising(ExitsWhenSpoken()), "ExitsWhenSpoken"),
    "is no text": (raising(NotText()), "NotText"),
    "never ends telling": (raising(Endless()), "Endless"),
    "holds NUL": (raising(ValueError("a\0b\ud800")), "ValueError"),
    "tells a megabyte": (raising(ValueError("x" * 1_000_000)), "ValueError"),
    "recurses": (recursion, "RecursionError"),
    "raises several": (grouped, "ExceptionGroup"),
    "has notes": (noted, "ValueError"),
    "raises a class with an odd name": (raising(type("\x7fOdd" * 99, (Exception,), {})()), ""),
}


@pytest.mark.parametrize("kind", ["plain", "atomic", "at_most_once", "async"])
def test_each_is_a_clear_error_and_the_worker_goes_on(workers, kind):
    class Bad(Workflow):
        if kind == "async":

            @step
            async def only(self):
                return BODIES[self.input["body"]][0]()

        else:

            @step(atomic=kind == "atomic", at_most_once=kind == "at_most_once")
            def only(self):
                return BODIES[self.input["body"]][0]()

    class Good(Workflow):
        @step
        def only(self):
            return "alive"

    runs = {name: Bad.start({"body": name}) for name in BODIES}
    service = workers.start(threads=2)
    for name, run in runs.items():
        with pytest.raises(ExecutionFailed):
            run.get_result(timeout=20)
        run.refresh_from_db()
        assert run.status == "failed", name
        assert run.error["node"] == "only", name
        expected = BODIES[name][1]
        if kind == "async" and name == "stops":
            expected = "RuntimeError"  # Python's own rule for coroutines
        assert run.error["type"].endswith(expected), (name, run.error)
        row = StepRun.objects.get(execution=run)
        assert (row.status, row.error) == ("failed", run.error), name
        assert len(row.error_text) < 100_000
    assert Good.start().get_result(timeout=20) == "alive"
    alive = [slot for slot in service.pool.slots if slot.thread.is_alive()]
    assert len(alive) == service.pool.threads + 1


def test_the_error_names_the_place_of_what_cannot_be_stored(workers):
    class Bad(Workflow):
        @step
        def only(self):
            return {"items": [1, object()]}

    run = Bad.start()
    workers.start()
    with pytest.raises(ExecutionFailed, match=r'output of only\["items"\]\[1\]'):
        run.get_result(timeout=20)


def test_what_cannot_be_stored_is_not_tried_again(workers):
    bodies = []

    class Bad(Workflow):
        @step(retry=Retry(max_attempts=3, backoff="constant", base=0.01))
        def only(self):
            bodies.append(1)
            return object()

    run = Bad.start()
    workers.start()
    with pytest.raises(ExecutionFailed):
        run.get_result(timeout=20)
    assert bodies == [1]


def test_a_context_changed_in_place_is_judged_at_the_checkpoint(workers):
    class Bad(Workflow):
        @step
        def only(self):
            self.context["list"] = []
            self.context["list"].append(object())

    run = Bad.start()
    workers.start()
    with pytest.raises(ExecutionFailed, match=r'context\["list"\]\[0\]'):
        run.get_result(timeout=20)
    run.refresh_from_db()
    assert run.context == {}


def test_a_context_that_cannot_be_read_fails_the_step_only(workers):
    class Bad(Workflow):
        @step
        def only(self):
            try:
                return self.context["missing"]
            except KeyError:
                return self.outputs["only"]

    run = Bad.start()
    workers.start()
    with pytest.raises(ExecutionFailed, match="KeyError"):
        run.get_result(timeout=20)


def test_a_step_that_raises_out_of_a_thread_of_its_own_does_not_reach_the_worker(workers):
    class Threads(Workflow):
        @step
        def only(self):
            seen = []
            thread = threading.Thread(target=lambda: seen.append(durable.__name__))
            thread.start()
            thread.join()
            return seen

    run = Threads.start()
    workers.start()
    assert run.get_result(timeout=20) == ["durable_django"]
