"""The loads: each is a function that takes the sizes and gives figures, one round of them."""

from collections.abc import Callable, Iterator

from ..figures import Figure
from ..sizes import Sizes
from . import (
    clusters,
    drain,
    forks,
    idle,
    latency,
    loops,
    memory,
    pages,
    parked,
    sleeping,
    slow,
    starting,
)

LOADS: dict[str, Callable[[Sizes], Iterator[Figure]]] = {
    "drain": drain.measure,
    "latency": latency.measure,
    "start": starting.measure,
    "forks": forks.measure,
    "loops": loops.measure,
    "sleeping": sleeping.measure,
    "slow": slow.measure,
    "idle": idle.measure,
    "memory": memory.measure,
    "parked": parked.measure,
    "clusters": clusters.measure,
    "pages": pages.measure,
}
# Takes long and gives the same every time.
ONCE = frozenset({"idle", "memory", "parked", "pages"})
