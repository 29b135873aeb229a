"""``python -m benchmarks``: measures on fresh databases and prints a table for each.

python -m benchmarks --quick
python -m benchmarks --databases postgresql --loads drain,latency --rounds 5
python -m benchmarks --markdown
DATABASE_URL=postgresql://me@host/postgres python -m benchmarks --databases postgresql
"""

import json
import os
import signal
import subprocess
import sys

from . import report
from .databases import fresh_database
from .figures import DatabaseFigures
from .options import parser


def main() -> int:
    options = parser().parse_args()
    # finally knows nothing of SIGTERM: make it an exception, or a server stays.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    for kind in options.databases:
        print(f"== {kind}", file=sys.stderr, flush=True)
        with fresh_database(kind) as url:
            figures = _session(url)
        lines = report.markdown(figures) if options.markdown else report.text(figures)
        print("", *lines, "", sep="\n", flush=True)
    return 0


def _session(url: str) -> DatabaseFigures:
    """Django can be set up once in a process, so each database has a process of its own."""
    session = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.session", *sys.argv[1:]],
        env={**os.environ, "DATABASE_URL": url},
        stdout=subprocess.PIPE,
    )
    try:
        output, _ = session.communicate()
    finally:
        if session.poll() is None:
            session.terminate()
            session.wait()
    if session.returncode != 0:
        sys.exit(session.returncode)
    return DatabaseFigures.from_dict(json.loads(output))


if __name__ == "__main__":
    sys.exit(main())
