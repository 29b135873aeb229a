"""``python -m benchmarks.profile``: where the engine's own time goes, function by function.

    python -m benchmarks.profile --databases postgresql --workflow FiveSteps --runs 5000

Drains in this process and profiles the thread that leads. For developers: a profiled drain is
several times slower than a real one, and short functions look worse than they are.
"""

import cProfile
import io
import os
import pstats
import subprocess
import sys
import threading
import time
from argparse import ArgumentParser, Namespace
from typing import Any

from .databases import KINDS, fresh_database

IN_CHILD = "DURABLE_BENCHMARK_PROFILE"


def main() -> int:
    made = ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    made.add_argument("--databases", choices=KINDS, default="sqlite")
    made.add_argument("--workflow", choices=["OneStep", "ThreeSteps", "FiveSteps"])
    made.add_argument("--runs", type=int, default=3_000)
    made.add_argument("--top", type=int, default=40, help="how many functions are printed")
    made.add_argument("--sort", choices=["tottime", "cumtime", "ncalls"], default="tottime")
    made.add_argument("--callers", metavar="FUNCTION", help="who calls it, instead of the table")
    made.add_argument("--plain", action="store_true", help="no profile, only the rate")
    options = made.parse_args()
    if IN_CHILD in os.environ:
        _drain(options)
        return 0
    with fresh_database(options.databases) as url:
        environment = {**os.environ, "DATABASE_URL": url, IN_CHILD: "1"}
        command = [sys.executable, "-m", "benchmarks.profile", *sys.argv[1:]]
        return subprocess.run(command, env=environment, check=False).returncode


def _drain(options: Namespace) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    import django

    django.setup()
    from django.core.management import call_command

    import durable_django as durable
    from durable_django.worker.service import WorkerService

    from . import workflows
    from .loads import database

    call_command("migrate", verbosity=0)
    workflow = getattr(workflows, options.workflow or "FiveSteps")
    durable.start_many(workflow, [{"n": number} for number in range(options.runs)])
    service = WorkerService(["default"], threads=8, burst=True)
    profiled = _ProfiledLead(service.pool.lead)
    if not options.plain:
        service.pool.lead = profiled
    begin, cpu = time.perf_counter(), time.process_time()
    service.run()
    wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
    steps = len(workflow.definition.nodes)
    database.check(options.runs, steps)
    seconds = database.seconds_from_first_claim_to_last_finish()
    print(
        f"{options.runs} runs of {steps} steps: {options.runs / seconds:,.0f} runs/s, "
        f"{seconds / options.runs / steps * 1e6:.0f} µs a step; "
        f"wall {wall:.2f} s, CPU {cpu / options.runs / steps * 1e6:.0f} µs a step"
    )
    if not options.plain:
        profiled.show(options, options.runs * steps)


class _ProfiledLead:
    """Calls the leader's loop under a profile; one at a time, as an interpreter has only one."""

    def __init__(self, lead: Any) -> None:
        self._lead = lead
        self._profile = cProfile.Profile()
        self._free = threading.Lock()

    def __call__(self, slot: Any) -> None:
        if not self._free.acquire(blocking=False):
            self._lead(slot)
            return
        try:
            self._profile.runcall(self._lead, slot)
        finally:
            self._free.release()

    def show(self, options: Namespace, steps: int) -> None:
        """The functions by time, and each one's own time a step."""
        out = io.StringIO()
        stats: Any = pstats.Stats(self._profile, stream=out)
        if options.callers:
            stats.sort_stats("tottime").print_callers(options.callers)
            print(out.getvalue())
            return
        index = {"ncalls": 1, "tottime": 2, "cumtime": 3}[options.sort]
        rows = sorted(stats.stats.items(), key=lambda row: -row[1][index])[: options.top]
        print(f"{'calls/step':>10} {'own µs/step':>12} {'with callees':>13}  function")
        for (file, line, name), (_, calls, own, cumulated, _) in rows:
            place = "/".join(file.split("/")[-2:])
            print(
                f"{calls / steps:10.2f} {own / steps * 1e6:12.2f} {cumulated / steps * 1e6:13.2f}"
                f"  {name} ({place}:{line})"
            )


if __name__ == "__main__":
    sys.exit(main())
