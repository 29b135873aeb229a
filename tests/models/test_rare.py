"""Rare statuses and tags are found by their indexes, on either database."""

import pytest
from django.db import connection

from durable_django.models import Execution, ExecutionStatus
from durable_django.models.rare import COMMON, RARE, rare_only, tagged_only
from tests.admin.rows import make_run

pytestmark = pytest.mark.django_db


def plan(rows):
    if connection.vendor == "postgresql":  # a table so small would be read whole
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    return rows.explain()


def test_every_status_is_rare_or_common():
    assert {*RARE, *COMMON} == set(ExecutionStatus.values)


def test_a_rare_status_is_found_by_its_index():
    failed = make_run("failed")
    make_run("completed")
    rows = rare_only(Execution.objects.filter(status="failed")).order_by("-id")
    assert list(rows) == [failed]
    assert "durable_execution_rare" in plan(rows)


def test_tags_are_found_by_the_index_of_those_that_carry_some():
    tagged = make_run("completed", tags=["vip"])
    make_run("completed")
    make_run("completed", tags={"vip": 1, "customer": "42"})
    rows = tagged_only(Execution.objects.filter(tags__tagged={"customer": "42"})).order_by()
    assert rows.count() == 1
    assert tagged in tagged_only(Execution.objects.filter(tags__tagged=["vip"]))
    assert "durable_execution_tags" in plan(rows.only("id"))
