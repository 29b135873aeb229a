"""Forks worker processes that have everything imported: one that is killed is replaced in no time.

One JSON object a line is a command, one line the answer: ``{"start": {…}}`` gives the process id,
``{"poll": pid}`` its exit code, or null while it lives. It has no thread and no connection of its
own, so that what it forks inherits none.
"""

import json
import os
import sys
import traceback
from typing import Any

import django

THREADS = "--threads=2"


def main() -> None:
    django.setup()
    from tests.killing import faults  # it imports all that a worker needs

    for line in sys.stdin:
        command: dict[str, Any] = json.loads(line)
        start = command.get("start")
        answer = _fork(faults, **start) if start else _poll(command["poll"])
        print(json.dumps(answer), flush=True)


def _fork(faults: Any, output: str, point: str | None, log: str | None, **durable: Any) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(file, stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        faults.Faults(point, log).install()
        _serve(durable)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(0)


def _serve(durable: dict[str, Any]) -> None:
    from django.conf import settings
    from django.core.management import call_command

    settings.DURABLE = {**settings.DURABLE, **durable}
    call_command("durable_worker", THREADS)


def _poll(pid: int) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


if __name__ == "__main__":
    main()
