"""Log capture: what a step logs or prints is kept on its step run, and on no other's."""

import logging
import sys
import threading
import warnings

import pytest

import durable_django as durable
from durable_django import Retry, Workflow, step
from durable_django.exceptions import ExecutionFailed
from durable_django.models import StepRun
from durable_django.worker.capture import capturing

shop = logging.getLogger("shop.orders")


def messages(run, **filters):
    row = StepRun.objects.get(execution=run, **filters)
    return [line["message"] for line in row.logs]


def serve(workers, workflow, input=None):
    run = workflow.start(input)
    workers.start()
    try:
        run.get_result(timeout=20)
    except ExecutionFailed:
        pass
    return run


@pytest.fixture(autouse=True)
def _quiet_root():
    """As logging comes: the root lets through warnings only."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.WARNING)
    yield
    root.setLevel(before)


def test_logs_of_any_logger_and_prints_are_kept_in_order(workers):
    class Talks(Workflow):
        @step
        def only(self):
            shop.info("order %s", 7)
            self.logger.warning("careful")
            print("printed", 1, sep=": ")
            print("to stderr", file=sys.stderr)
            shop.debug("not kept: LOG_LEVEL is INFO")

    run = serve(workers, Talks)
    logs = StepRun.objects.get(execution=run).logs
    assert [(line["level"], line["logger"], line["message"]) for line in logs] == [
        ("INFO", "shop.orders", "order 7"),
        ("WARNING", "durable_django.step.worker.Talks", "careful"),
        ("INFO", "stdout", "printed: 1"),
        ("INFO", "stderr", "to stderr"),
    ]
    assert all(line["at"].tzinfo for line in logs)


def test_a_line_printed_in_pieces_is_one_entry(workers):
    class Prints(Workflow):
        @step
        def only(self):
            for number in range(3):
                print(number, end=" ")
            print()
            print("two\nlines")
            print("no end", end="")

    assert messages(serve(workers, Prints)) == ["0 1 2 ", "two", "lines", "no end"]


def test_the_handlers_of_the_root_stay_as_quiet_as_they_were(workers):
    seen = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.getMessage())
    root = logging.getLogger()
    root.addHandler(handler)

    class Talks(Workflow):
        @step
        def only(self):
            shop.info("kept, not shown")
            shop.error("kept and shown")

    try:
        run = serve(workers, Talks)
    finally:
        root.removeHandler(handler)
    assert messages(run) == ["kept, not shown", "kept and shown"]
    assert [message for message in seen if message.startswith("kept")] == ["kept and shown"]


def test_a_failing_step_keeps_its_logs(workers):
    class Fails(Workflow):
        @step(retry=Retry(max_attempts=2, backoff="constant", base=0.01))
        def only(self):
            shop.info("attempt %s", self.attempt)
            raise ValueError

    run = serve(workers, Fails)
    assert messages(run, attempt=1) == ["attempt 1"]
    assert messages(run, attempt=2) == ["attempt 2"]


def test_a_timed_out_step_keeps_its_logs(workers):
    latch = workers.latch()

    class Late(Workflow):
        @step(timeout=0.05)
        def only(self):
            shop.info("before")
            latch.wait(20)

    assert messages(serve(workers, Late)) == ["before"]


def test_an_atomic_step_that_is_rolled_back_keeps_its_logs(workers):
    class Fails(Workflow):
        @step(atomic=True)
        def only(self):
            shop.info("in vain")
            raise ValueError

    assert messages(serve(workers, Fails)) == ["in vain"]


def test_logs_of_concurrent_steps_do_not_mix(workers):
    together = threading.Barrier(4, timeout=20)

    class Talks(Workflow):
        @step
        def only(self):
            for number in range(5):
                together.wait()
                shop.info("%s %s", self.input["n"], number)
                print(self.input["n"], number)

        @step
        async def later(self):
            shop.info("async %s", self.input["n"])

    ids = durable.start_many(Talks, [{"n": n} for n in range(4)])
    workers.start(threads=4)
    for n, pk in enumerate(ids):
        durable.get_result(pk, timeout=20)
        expected = [f"{n} {number}" for number in range(5) for _ in range(2)]
        assert messages(pk, name="only") == expected
        assert messages(pk, name="later") == [f"async {n}"]


def test_what_is_too_much_keeps_its_head_and_its_tail(workers, durable_settings):
    durable_settings(LOG_MAX_BYTES=8192)

    class Floods(Workflow):
        @step
        def only(self):
            for number in range(10_000):
                print(f"line {number}")

    run = serve(workers, Floods)
    row = StepRun.objects.get(execution=run)
    lines = [line["message"] for line in row.logs]
    assert lines[0] == "line 0"
    assert lines[-1] == "line 9999"
    assert any("dropped" in line for line in lines)
    assert len(row.logs_text.encode()) < 2 * 8192


def test_a_megabyte_in_one_print_is_cut(workers):
    class Floods(Workflow):
        @step
        def only(self):
            print("x" * 1_000_000)
            print("y" * 1_000_000, end="")
            return "fine"

    run = serve(workers, Floods)
    assert run.get_result() == "fine"
    row = StepRun.objects.get(execution=run)
    assert [line["message"][0] for line in row.logs] == ["x", "y"]
    assert len(row.logs_text.encode()) < 65_536


@pytest.mark.parametrize("limit", [0, 1, 100, 1000])
def test_however_small_the_limit_is_the_step_ends(workers, durable_settings, limit):
    durable_settings(LOG_MAX_BYTES=limit)

    class Talks(Workflow):
        @step
        def only(self):
            for _ in range(100):
                print("a line that is longer than nothing")
            print("and no end", end="")
            return "fine"

    run = serve(workers, Talks)
    assert run.get_result() == "fine"
    assert StepRun.objects.get(execution=run).logs is not None


def test_log_records_that_cannot_be_formatted_break_nothing(workers):
    class Unprintable:
        def __str__(self):
            raise RuntimeError

        __repr__ = __str__

    class Talks(Workflow):
        @step
        def only(self):
            logging.raiseExceptions = False
            try:
                shop.info("%d items", "seven")
                shop.info("nul \0, surrogate \ud800")
                shop.info(Unprintable())
                shop.info("%s", Unprintable())
            finally:
                logging.raiseExceptions = True
            return "fine"

    run = serve(workers, Talks)
    assert run.get_result() == "fine"
    found = messages(run)
    assert found[0] == "%d items ('seven',)"
    assert found[1] == "nul \\x00, surrogate \\ud800"
    assert len(found) >= 2


def test_warnings_and_tracebacks_are_kept(workers):
    class Talks(Workflow):
        @step
        def only(self):
            try:
                1 / 0  # noqa: B018
            except ZeroDivisionError:
                shop.exception("no good")
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                sys.stderr.write(warnings.formatwarning("old", DeprecationWarning, "x.py", 1))

    found = messages(serve(workers, Talks))
    assert found[0].startswith("no good\nTraceback")
    assert found[1] == "x.py:1: DeprecationWarning: old"


def test_what_is_printed_outside_a_step_is_nobodys(workers):
    class Quiet(Workflow):
        @step
        def only(self): ...

    run = Quiet.start()
    workers.start()
    print("from the test")
    shop.warning("from the test")
    run.get_result(timeout=20)
    assert messages(run) == []


def test_without_any_handler_a_warning_is_said_as_python_says_it(monkeypatch, capsys):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    heard = logging.getLogger("tests.heard")
    handler = logging.NullHandler()
    heard.addHandler(handler)
    try:
        with capturing():
            logging.getLogger("tests.alone").warning("a process ends")
            logging.getLogger("tests.alone").info("nothing of note")
            heard.warning("said by its own handler")
    finally:
        heard.removeHandler(handler)
    assert capsys.readouterr().err == "a process ends\n"
    assert logging.getLogger().handlers == []
