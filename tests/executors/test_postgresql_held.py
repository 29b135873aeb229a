"""Rows that others hold in a transaction, which keep nobody from going on.

Collected on PostgreSQL only, see conftest.py: on SQLite one writes, and all others wait for it.
"""

import threading

import pytest
from django.db import connections, transaction

import durable_django as durable
from durable_django.models import Execution
from durable_django.store import dispatching

from .engines import Engine

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_run_that_somebody_holds_in_a_transaction_keeps_neither_process_nor_sweeper(
    carrier, flow
):
    run, other = flow.start(), flow.start()
    hints = [hint for _, hint in Engine.sent]
    is_held, may_end = threading.Event(), threading.Event()

    def operate():
        with transaction.atomic():
            durable.cancel(run)
            is_held.set()
            may_end.wait(60)
        connections.close_all()

    operator = threading.Thread(target=operate)
    operator.start()
    try:
        assert is_held.wait(20)
        assert not carrier.carry(hints[0], 30)
        dispatching.mark_again(hints)
        dispatching.withdraw(hints)
        assert operator.is_alive()
        row = Execution.objects.get(pk=other.pk)
        assert (row.dispatched_lease, row.status) == (None, "pending")
    finally:
        may_end.set()
        operator.join()
    assert Execution.objects.get(pk=run.pk).status == "cancelled"
