"""The workflows of `sick` are registered; time is put back after each test."""

from collections.abc import Iterator

import pytest

from durable_django.definition import registry
from durable_django.store import clock

from .sick import ALL


@pytest.fixture(autouse=True)
def _registered(db: None) -> Iterator[None]:
    with registry.isolate():
        for workflow in ALL:
            registry.add(workflow)
        yield
    clock.reset()
