"""The check of the workflows' queues."""

import pytest

from durable_django import Workflow, step
from durable_django.checks import check_workflows
from durable_django.definition import registry
from tests.checks.telling import ids, told


@pytest.fixture
def a_workflow():
    """A registered workflow of the queue "high"."""
    with registry.isolate():

        class Ship(Workflow):
            class Meta:
                queue = "high"

            @step
            def send(self): ...

        yield Ship


def test_a_workflow_of_an_unknown_queue_is_told_by_its_class(a_workflow):
    (message,) = told(check_workflows, QUEUES={"hihg": {}, "low": {}})
    assert ids([message]) == ["E011"]
    assert message.obj.endswith(".Ship")
    assert message.obj.startswith("tests.checks.test_workflows.")
    assert 'did you mean "hihg"?' in message.msg
    assert "default, hihg, low" in message.hint


def test_a_workflow_of_a_known_queue_is_right(a_workflow):
    assert told(check_workflows, QUEUES={"high": {}}) == []


def test_without_queues_every_name_will_do(a_workflow):
    assert told(check_workflows, QUEUES={}) == told(check_workflows) == []


def test_the_default_queue_needs_no_mention():
    with registry.isolate():

        class Ship(Workflow):
            @step
            def send(self): ...

        assert told(check_workflows, QUEUES={"high": {}}) == []


def test_workflows_are_not_measured_with_wrong_queues(a_workflow):
    assert told(check_workflows, QUEUES=["low"]) == []
