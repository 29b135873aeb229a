"""`tagged` and `any`: one meaning on every database."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from durable_django.models import Execution, StepRun

pytestmark = pytest.mark.django_db

AT = datetime(2030, 1, 31, tzinfo=UTC)
TAGS = {
    "none": [],
    "list": ["vip", "eu"],
    "odd": ['quo"te', "ü", "a b", "0"],
    "mapping": {"vip": True, "customer": "42", "n": 42, "ratio": 0.5, "note": None, "off": False},
}


@pytest.fixture(autouse=True)
def _runs(db):
    for name, tags in TAGS.items():
        pk = uuid4()
        Execution.objects.create(
            pk=pk,
            root_id=pk,
            workflow_name=name,
            status="pending",
            tags=tags,
            created_at=AT,
            ready_at=AT,
        )


def found(wanted):
    rows = Execution.objects.filter(tags__tagged=wanted)
    return sorted(rows.values_list("workflow_name", flat=True))


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (["vip"], ["list", "mapping"]),
        (["vip", "eu"], ["list"]),
        (["eu", "nobody"], []),
        (["42"], []),
        (['quo"te', "ü", "a b"], ["odd"]),
        (["0"], ["odd"]),
        ([], ["list", "mapping", "none", "odd"]),
    ],
    ids=str,
)
def test_a_list_finds_the_runs_that_carry_all_of_these_tags(wanted, names):
    assert found(wanted) == names


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ({"customer": "42"}, ["mapping"]),
        ({"customer": 42}, []),
        ({"n": 42}, ["mapping"]),
        ({"n": 42.0}, ["mapping"]),
        ({"n": "42"}, []),
        ({"vip": True}, ["mapping"]),
        ({"vip": 1}, []),
        ({"vip": False}, []),
        ({"off": False}, ["mapping"]),
        ({"off": 0}, []),
        ({"note": None}, ["mapping"]),
        ({"missing": None}, []),
        ({"ratio": 0.5}, ["mapping"]),
        ({"n": 42, "customer": "42"}, ["mapping"]),
        ({"n": 42, "customer": "43"}, []),
        ({"0": "vip"}, []),
        ({}, ["list", "mapping", "none", "odd"]),
    ],
    ids=str,
)
def test_a_mapping_finds_the_runs_that_carry_all_of_these_values(wanted, names):
    assert found(wanted) == names


def test_a_number_of_any_size_can_be_asked_for():
    Execution.objects.filter(workflow_name="none").update(tags={"big": 10**30})
    assert found({"big": 10**30}) == ["none"]
    assert found({"big": 5}) == []


def test_tags_can_be_excluded_and_combined_as_any_filter():
    rows = Execution.objects.filter(tags__tagged=["vip"]).exclude(tags__tagged={"n": 42})
    assert [run.workflow_name for run in rows] == ["list"]


def test_any_is_in_with_one_parameter_on_postgresql():
    ids = list(Execution.objects.values_list("id", flat=True))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert Execution.objects.filter(id__any=ids[:2]).count() == 2
    assert ("ANY" in queries[0]["sql"]) is (connection.vendor == "postgresql")
    assert Execution.objects.filter(id__any=[str(pk) for pk in ids]).count() == len(ids)
    assert Execution.objects.filter(id__any=[]).count() == 0
    assert Execution.objects.exclude(id__any=ids).count() == 0
    assert StepRun.objects.filter(execution__id__any=ids).count() == 0


def test_any_takes_a_subquery_too():
    runs = Execution.objects.filter(workflow_name__in=["none", "list"])
    found = Execution.objects.filter(id__any=runs.values("id"))
    assert set(found) == set(runs)
    assert ("= ANY(ARRAY(" in str(found.query)) is (connection.vendor == "postgresql")
    assert set(Execution.objects.filter(id__any=runs)) == set(runs)
    assert Execution.objects.exclude(id__any=runs.values("id")).count() == len(TAGS) - 2
    assert not Execution.objects.filter(id__any=runs.none()).exists()


def test_step_runs_are_found_by_any_of_their_numbers():
    run = Execution.objects.get(workflow_name="none")
    made = [
        StepRun.objects.create(
            execution=run, seq=seq, path="a", name="a", attempt=1, status="completed", started_at=AT
        )
        for seq in range(3)
    ]
    assert set(StepRun.objects.filter(id__any=[made[0].pk, made[2].pk])) == {made[0], made[2]}
    assert not StepRun.objects.filter(id__any=[]).exists()
