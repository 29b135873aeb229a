"""Waiting for a condition, as the only way in which a test may wait for what it cannot be told."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Far beyond what anything takes: reached only by a test that fails.
WAIT_SECONDS = 20.0
LOOK_SECONDS = 0.005


def until(condition: Callable[[], T], seconds: float = WAIT_SECONDS) -> T:
    """What `condition` gives once that is true; an AssertionError if it does not become so."""
    give_up = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < give_up, f"not within {seconds:g} seconds: {condition}"
        time.sleep(LOOK_SECONDS)
    return found
