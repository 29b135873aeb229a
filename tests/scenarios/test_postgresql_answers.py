"""An answer in an open transaction, against what would end its wait: real connections, PostgreSQL.

On SQLite one transaction writes at a time, so that nothing of this can happen.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections, transaction

from durable_django import Workflow, api, provide_input, race, wait_for_approval, wait_for_event
from durable_django.api_events import send_event
from durable_django.testing import isolate_registry
from durable_django.worker.inline import InlineDriver


@pytest.fixture
def registry():
    with isolate_registry():
        yield


@pytest.mark.django_db(transaction=True)
def test_a_race_is_not_decided_while_somebody_answers_in_an_open_transaction(registry):
    """Else the worker would stand still until that transaction is over."""

    class Asked(Workflow):
        with race() as first:
            approval = wait_for_approval()
            stopped = wait_for_event("stop")

    run = api.start(Asked)
    InlineDriver().drain()
    with transaction.atomic():
        provide_input(run, "approval", "approved")
        with ThreadPoolExecutor(1) as pool:
            pool.submit(_stop, run).result(timeout=20)
        assert api.get_execution(run).status == "waiting"


def _stop(run):
    """Another process, which sees the event, not the answer."""
    try:
        send_event(run, "stop")
        InlineDriver().drain()
    finally:
        connections.close_all()
