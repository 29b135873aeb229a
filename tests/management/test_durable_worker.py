"""The command ``durable_worker``: its arguments. What a worker does is told in tests/worker."""

import os
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import override_settings
from django.utils import autoreload

from durable_django.executors.executor import Threads
from durable_django.management.commands import durable_worker

pytestmark = pytest.mark.usefixtures("started")


class Started(list):
    """What would have been started, in order, instead of starting it."""

    ends_well = True

    def service(self, queues, threads, burst):
        self.append({"queues": queues, "threads": threads, "burst": burst})
        return self

    def run(self):
        return self.ends_well

    def stop(self):
        self.append("stop")


class Supervised:
    """A supervisor that ends at once."""

    def __init__(self, started):
        self.started = started

    def __call__(self, count, burst):
        self.started.append({"processes": count, "burst": burst})
        return self

    def run(self):
        return 3


@pytest.fixture
def started(monkeypatch):
    found = Started()
    monkeypatch.setattr(Threads, "service", lambda _, *given: found.service(*given))
    monkeypatch.setattr(durable_worker, "Supervisor", Supervised(found))
    monkeypatch.setattr(durable_worker.signal, "signal", lambda number, handler: None)
    return found


def run(*arguments):
    """What the command wrote."""
    stdout = StringIO()
    call_command("durable_worker", *arguments, stdout=stdout)
    return stdout.getvalue()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threads=0"], "--threads must be at least 1, not 0"),
        (["--threads=-1"], "--threads must be at least 1, not -1"),
        (["--threads=many"], "invalid int value: 'many'"),
        (["--threads="], "invalid int value: ''"),
        (["--processes=0"], "--processes must be at least 1, not 0"),
        (["--processes=-2"], "--processes must be at least 1, not -2"),
        (["--processes=1.5"], "invalid int value: '1.5'"),
        (["--queues=,"], "--queues names no queue"),
        (["--queues= , "], "--queues names no queue"),
        (["--queues=" + "x" * 101], "--queues has at most 100 characters"),
        (["--queues=high,a\x00b"], "--queues is a printable text"),
        (["--executor=django_r"], 'the executor "django_r" cannot be loaded'),
        (["--executor=no.such.Engine"], 'the executor "no.such.Engine" cannot be loaded'),
        (["--executor=decimal.Decimal"], "is a Decimal, not an Executor"),
        (["--reload", "--processes=2"], "--reload works with one process"),
        (["--thread-count=3"], "unrecognized arguments: --thread-count=3"),
        (["high"], "unrecognized arguments: high"),
    ],
)
def test_a_wrong_argument_is_told_and_nothing_is_started(started, arguments, message):
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    assert message in str(caught.value)
    assert started == []


@override_settings(DURABLE={"THREADS": 5})
def test_without_arguments_the_settings_decide(started):
    run()
    assert started == [{"queues": ["default"], "threads": 5, "burst": False}]


@override_settings(DURABLE={"QUEUES": {"high": {}, "low": {}}})
def test_all_queues_are_served_in_the_order_of_the_settings_and_the_default_one_last(started):
    run()
    assert started[0]["queues"] == ["high", "low", "default"]


@override_settings(DURABLE={"QUEUES": {"default": {}, "low": {}}})
def test_the_default_queue_keeps_its_place_where_it_has_one(started):
    run()
    assert started[0]["queues"] == ["default", "low"]


def test_the_queues_of_the_command_line_keep_their_order(started):
    run("--queues", "low, high,,low ", "--threads=2", "--burst")
    assert started == [{"queues": ["low", "high"], "threads": 2, "burst": True}]


@pytest.mark.parametrize("wrong", [0, -3])
def test_a_setting_that_is_wrong_stops_the_worker_also_without_checks(started, wrong):
    with override_settings(DURABLE={"THREADS": wrong}), pytest.raises(CommandError):
        run("--skip-checks")
    assert started == []


def test_it_says_who_serves_what():
    written = run("--queues=high,low", "--threads=3")
    assert written == f"durable worker {os.getpid()}: high, low, 3 threads\n"


def test_one_process_is_no_supervisor(started):
    run("--processes=1", "--threads=1")
    assert started == [{"queues": ["default"], "threads": 1, "burst": False}]


def test_several_processes_are_left_to_a_supervisor_whose_exit_code_counts(started):
    with pytest.raises(SystemExit) as caught:
        run("--processes=3", "--burst")
    assert caught.value.code == 3
    assert started == [{"processes": 3, "burst": True}]


def test_reloading_is_djangos(started, monkeypatch):
    monkeypatch.setattr(autoreload, "run_with_reloader", lambda serve: serve())
    run("--reload", "--threads=1")
    assert len(started) == 1


def test_the_first_signal_drains_and_the_second_one_ends_at_once(started, monkeypatch):
    handlers, ends = {}, []
    monkeypatch.setattr(durable_worker.signal, "signal", handlers.__setitem__)
    monkeypatch.setattr(durable_worker.os, "_exit", ends.append)
    run("--threads=1")
    assert set(handlers) == {durable_worker.signal.SIGTERM, durable_worker.signal.SIGINT}
    handlers[durable_worker.signal.SIGTERM](15, None)
    assert (started[1:], ends) == (["stop"], [])
    # The same signal again, as a service manager and a supervisor both send it, is no second one.
    handlers[durable_worker.signal.SIGTERM](15, None)
    assert ends == []
    monkeypatch.setattr(durable_worker, "SAME_SIGNAL_SECONDS", -1.0)
    handlers[durable_worker.signal.SIGINT](2, None)
    assert ends == [130]


def test_stuck_threads_end_the_process_so_that_a_supervisor_starts_another(started, monkeypatch):
    started.ends_well = False
    ends = []
    monkeypatch.setattr(durable_worker.os, "_exit", ends.append)
    run("--threads=1")
    assert ends == [durable_worker.EXIT_STUCK]
