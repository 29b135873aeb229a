"""One benchmark on one database, in a process of its own: migrates it, runs the loads in rounds.

    DATABASE_URL=… python -m benchmarks.session --loads drain,start --quick

Started by ``python -m benchmarks``, which makes the database. Prints the figures as JSON on
standard output, and how far it is on standard error.
"""

import json
import os
import platform
import signal
import sys
import tempfile
from argparse import Namespace
from pathlib import Path
from statistics import median

from . import counting
from .figures import DatabaseFigures, Figure, median_of
from .options import loads_of, parser, sizes_of


def main() -> None:
    options = parser().parse_args()
    # finally knows nothing of SIGTERM: make it an exception, or a worker stays.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    settings = "admin_settings" if "pages" in loads_of(options) else "settings"
    os.environ["DJANGO_SETTINGS_MODULE"] = f"benchmarks.{settings}"
    with tempfile.TemporaryDirectory(prefix="durable-counts-") as counts:
        os.environ[counting.DIRECTORY] = counts
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        print(json.dumps(_measure(options).as_dict()))


def _measure(options: Namespace) -> DatabaseFigures:
    from django.db import connection

    from . import floor
    from .loads import LOADS, ONCE

    sizes, load_before = sizes_of(options), os.getloadavg()[0]
    floors: list[float] = []
    rounds: dict[str, list[list[Figure]]] = {name: [] for name in loads_of(options)}
    for number in range(sizes.rounds):
        floors.append(floor.measure(sizes.floor_seconds))
        _say(f"round {number + 1}: the floor is {floors[-1]:,.0f} rows/s")
        for name in rounds:
            if number and name in ONCE:
                continue
            figures = []
            for figure in LOADS[name](sizes):
                _say(f"round {number + 1}: {figure.name}: {figure.value:,.2f} {figure.unit}")
                figures.append(figure)
            rounds[name].append(figures)
    return DatabaseFigures(
        vendor=connection.vendor,
        setting=_setting(sizes.rounds, load_before),
        floor=median(floors),
        floor_is=floor.description(),
        figures=[figure for same in rounds.values() for figure in median_of(same, median(floors))],
    )


def _setting(rounds: int, load_before: float) -> str:
    """What the figures were taken on."""
    import django
    from django.db import connection

    from .databases import VAR
    from .floor import flush_ms

    VAR.mkdir(exist_ok=True)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT current_setting('server_version')")
            database = f"PostgreSQL {cursor.fetchone()[0].split()[0]}"
        else:
            cursor.execute("SELECT sqlite_version()")
            database = f"SQLite {cursor.fetchone()[0]} (WAL, synchronous FULL)"
    return (
        f"{database}, Python {platform.python_version()}, Django {django.get_version()}, "
        f"{os.cpu_count()} cores, a durable flush takes {flush_ms(Path(VAR)):.2f} ms, "
        f"load average {load_before:.1f} before, "
        + (f"medians of {rounds} rounds" if rounds > 1 else "one round")
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
