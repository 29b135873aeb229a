"""Workflows of a test are forgotten after it, and time is put back."""

from collections.abc import Iterator

import pytest

from durable_django.definition import registry
from durable_django.testing import reset


@pytest.fixture(autouse=True)
def _isolated() -> Iterator[None]:
    with registry.isolate():
        yield
    reset()
