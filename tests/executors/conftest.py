"""An engine is installed for a test, and nothing of it is left after it."""

from collections.abc import Iterator

import pytest
from django.db import connection

from durable_django import Workflow, step
from durable_django.conf import DEFAULTS
from durable_django.definition import registry
from durable_django.executors import dispatches as dispatching
from durable_django.executors.carrier import Carrier
from durable_django.store import clock, wakeup

from .engines import Engine

collect_ignore = [] if connection.vendor == "postgresql" else ["test_postgresql_held.py"]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    Engine.sent.clear()
    with registry.isolate():
        yield
    wakeup.announce = None
    clock.reset()


@pytest.fixture
def installed():
    """`installed(Engine)`: from now on what becomes ready is handed to it; its dispatches."""

    def install(engine=Engine):
        return dispatching.install(engine())

    return install


@pytest.fixture
def flow():
    class Flow(Workflow):
        @step
        def only(self):
            return 1

    return Flow


@pytest.fixture
def carrier(installed):
    """Begun, and ended with the test."""
    installed()
    made = Carrier(Engine(), "default")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def durable_settings(settings):
    """`durable_settings(HEARTBEAT_SECONDS=0.1)` for the rest of the test."""

    def change(**changes):
        assert set(changes) <= set(DEFAULTS)
        settings.DURABLE = {**settings.DURABLE, **changes}

    return change
