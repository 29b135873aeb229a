"""How much of each load a benchmark runs. Knows no Django."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Counts are of runs, unless their names say seconds."""

    rounds: int = 3
    floor_seconds: float = 3.0
    drain_one_step: int = 20_000
    drain_five_steps: int = 8_000
    latency: int = 200
    starts: int = 2_000
    starts_at_once: int = 10_000
    sleeping: int = 640
    items: tuple[int, ...] = (1_000, 10_000, 50_000)
    iterations: int = 5_000
    idle_seconds: float = 20.0
    memory: int = 100_000
    parked: int = 100_000
    sleepers: int = 10_000
    listed: int = 1_000_000
    long_run: int = 10_000
    carried: int = 6_000


FULL = Sizes()
QUICK = Sizes(
    rounds=1,
    floor_seconds=1.0,
    drain_one_step=3_000,
    drain_five_steps=1_500,
    latency=50,
    starts=300,
    starts_at_once=2_000,
    sleeping=160,
    items=(500, 2_000),
    iterations=1_000,
    idle_seconds=5.0,
    memory=10_000,
    parked=3_000,
    sleepers=1_000,
    listed=20_000,
    long_run=500,
    carried=200,
)
