"""What a command writes to: closed pipes, full disks, streams that are not there."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

from .saying import Screen
from .workflows import make_order


@pytest.mark.parametrize("words", [["list", "--json"], ["list"]])
def test_a_reader_that_goes_away_is_no_error(child_environment, durable, words):
    make_order().start()
    command = [sys.executable, "manage.py", "durable", *words]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        command, env=child_environment, stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_disk_that_is_full_is_told_in_a_line(child_environment, durable):
    make_order().start()
    command = [sys.executable, "manage.py", "durable", "list"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command,
            env=child_environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "error: the output cannot be written: No space left on device\n"


def test_without_stdout_nothing_is_done(child_environment, durable):
    run = make_order().start()
    done = subprocess.run(
        [sys.executable, "manage.py", "durable", "cancel", str(run.pk)],
        env=child_environment,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        preexec_fn=lambda: os.close(1),
    )
    assert done.returncode == 1
    assert done.stderr == "error: the output cannot be written: stdout is closed\n"
    run.refresh_from_db()
    assert run.status == "pending"


class Full(Screen):
    """A stream on a disk that is full, or, with another error, what that makes of it."""

    def __init__(self, error):
        super().__init__(is_terminal=False)
        self.error = error

    def write(self, text):
        raise self.error


FULL = OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("out", "err", "code"),
    [
        (Full(FULL), None, 1),
        (Full(FULL), Full(FULL), 1),
        (Full(FULL), Full(BrokenPipeError()), 141),
        (Full(BrokenPipeError()), None, 141),
    ],
)
@pytest.mark.parametrize("words", [["list"], ["list", "--json"]])
def test_what_cannot_be_written_ends_with_a_code(db, monkeypatch, out, err, code, words):
    err = err or Screen(is_terminal=False)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with pytest.raises(SystemExit) as ended:
        call_command("durable", *words)
    assert ended.value.code == code


def test_without_stderr_a_code_tells_all(db, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Screen(is_terminal=False))
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(SystemExit) as ended:
        call_command("durable", "show", "xyz")
    assert ended.value.code == 3


def test_ctrl_c_stops_looking_and_not_the_run(child_environment, durable):
    run = make_order().start()
    command = [sys.executable, "manage.py", "durable", "show", str(run.pk), "--follow"]
    with subprocess.Popen(
        command,
        env=child_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever starts the tests in the background has them ignore it, and what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            assert process.stdout.readline().startswith("order v1")
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, err) == (130, "")
    run.refresh_from_db()
    assert run.status == "pending"
