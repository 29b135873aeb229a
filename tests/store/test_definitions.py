"""Definitions: their rows keep what the code declared, for when it is gone."""

import pytest

from durable_django import Workflow, step
from durable_django.definition import registry
from durable_django.models import WorkflowDefinition
from durable_django.store.definitions import record_definitions

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _isolated_registry():
    with registry.isolate():
        yield


def make(meta_version=1, further=False):
    class Order(Workflow):
        """Takes an order."""

        class Meta:
            name = "order"
            version = meta_version

        @step
        def validate(self):
            """Looks at it."""

        if further:

            @step
            def charge(self): ...

    return Order.definition


def test_a_definition_is_recorded_once_and_again_when_it_has_changed():
    assert record_definitions([make()]) == 1
    assert record_definitions([make()]) == 0
    assert record_definitions([make(further=True)]) == 1
    row = WorkflowDefinition.objects.get()
    assert (str(row), row.doc) == ("order v1", "Takes an order.")
    assert [node["name"] for node in row.structure["nodes"]] == ["validate", "charge"]
    assert row.structure["nodes"][0]["doc"] == "Looks at it."
    assert row.updated_at > row.created_at


def test_versions_stand_beside_each_other():
    assert record_definitions([make(), make(2, further=True)]) == 2
    rows = WorkflowDefinition.objects.order_by("version")
    assert [len(row.structure["nodes"]) for row in rows] == [1, 2]


def test_nothing_is_forgotten_when_code_goes():
    record_definitions([make()])
    assert record_definitions([]) == 0
    assert WorkflowDefinition.objects.count() == 1
