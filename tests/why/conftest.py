"""Moments are told in the time zone of the reader: here UTC; time is put back after each test."""

from collections.abc import Iterator
from typing import Any

import pytest

from durable_django.store import clock


@pytest.fixture(autouse=True)
def _in_utc(settings: Any) -> Iterator[None]:
    settings.TIME_ZONE = "UTC"
    yield
    clock.reset()
