"""What the figures must reach on the machine they were set for: 2 cores, PostgreSQL 18 beside the
worker, a durable flush in 0.16 ms. Elsewhere compare the shares of the floor.
"""

# The beginning of a figure's name -> what it must reach on (PostgreSQL, SQLite).
GOALS: dict[str, tuple[str, str]] = {
    "drain, 1 step,": ("3,000 (5,000)", ""),
    "drain, 5 steps,": ("1,800 (3,000)", "2,000"),
    "latency, 3 steps, p50": ("under 8", ""),
    "latency, 3 steps, p95": ("under 15", ""),
    "start, one client": ("1,700", ""),
    "start_many": ("20,000", ""),
    "as a share of a 1-step run": ("under 1.5", "under 1.5"),
    "loop of": ("as the first", "as the first"),
    "steps of 10 ms": ("720", "720"),
    "longest standstill": ("as alone", "as alone"),
    "idle, statements": ("3", ""),
    "idle, CPU of the worker": ("under 1", "under 1"),
    "as a share of the rate without": ("over 0.9", "over 0.9"),
    "event to the end of its run, p95": ("under 100", ""),
    "waking": ("under 15", ""),
    "page, list": ("under 300", ""),
    "page, overview": ("under 300", ""),
    "page, run": ("under 500", ""),
    "memory after": ("no growth", "no growth"),
}


def goal_of(name: str, vendor: str) -> str:
    """What the figure of that name must reach; empty if nothing was set."""
    for beginning, (postgresql, sqlite) in GOALS.items():
        if name.startswith(beginning):
            return postgresql if vendor == "postgresql" else sqlite
    return ""
