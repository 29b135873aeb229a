"""The checks of workflows: their queues, what callbacks need, and whom they call."""

import pytest
from django.test import override_settings

from durable_django import (
    Workflow,
    call_workflow,
    parallel,
    start_workflow,
    step,
    wait_for_callback,
)
from durable_django.checks import check_workflows
from durable_django.definition import registry
from tests.checks.telling import ids, told

SHOP = "https://shop.example"
urlpatterns = []  # of a project that does not include ours


@pytest.fixture(autouse=True)
def _only_workflows_of_the_test():
    with registry.isolate():
        registry._classes.clear()
        yield


# Queues


@pytest.fixture
def a_workflow():
    """A registered workflow of the queue "high"."""

    class Ship(Workflow):
        class Meta:
            queue = "high"

        @step
        def send(self): ...

    return Ship


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
    class Ship(Workflow):
        @step
        def send(self): ...

    assert told(check_workflows, QUEUES={"high": {}}) == []


def test_workflows_are_not_measured_with_wrong_queues(a_workflow):
    assert told(check_workflows, QUEUES=["low"]) == []


# Callbacks


@pytest.fixture
def waits_for_a_callback():
    class Pay(Workflow):
        with parallel() as both:
            paid = wait_for_callback()
            shipped = wait_for_callback("parcel")


def test_a_callback_needs_an_address(waits_for_a_callback):
    (message,) = told(check_workflows)
    assert ids([message]) == ["E012"]
    assert "(paid, shipped)" in message.msg
    assert 'DURABLE["BASE_URL"]' in message.msg
    assert message.obj.endswith(".Pay")
    assert ids(told(check_workflows, BASE_URL=None)) == ["E012"]
    assert told(check_workflows, BASE_URL=SHOP) == []


def test_a_wrong_address_is_told_once_and_elsewhere(waits_for_a_callback):
    assert told(check_workflows, BASE_URL="shop.example") == []
    assert ids(told(BASE_URL="shop.example")) == ["E003"]


@pytest.mark.parametrize("urlconf", ["tests.checks.test_workflows", None])
def test_a_callback_needs_the_urls(waits_for_a_callback, urlconf):
    with override_settings(ROOT_URLCONF=urlconf):
        (message,) = told(check_workflows, BASE_URL=SHOP)
        assert ids([message]) == ["E013"]
        assert 'include("durable_django.urls")' in message.hint
        assert ids(told(check_workflows)) == ["E012", "E013"]


def test_a_workflow_without_callbacks_needs_neither(a_workflow):
    with override_settings(ROOT_URLCONF="tests.checks.test_workflows"):
        assert told(check_workflows) == []


# Called workflows


@pytest.mark.parametrize("starts", [call_workflow, start_workflow])
def test_a_workflow_that_is_called_by_a_name_nobody_has_is_told(starts, a_workflow):
    class Order(Workflow):
        class Meta:
            name = "order"

        parcel = starts("tests.Shop")

    known = a_workflow.definition.name
    (message,) = told(check_workflows)
    assert ids([message]) == ["E014"]
    assert message.msg.startswith('parcel starts "tests.Shop", and no workflow')
    assert f"{known}, order" in message.hint
    assert message.obj.endswith(".Order")


def test_a_called_workflow_that_is_misspelt_is_told_with_what_was_meant():
    class Order(Workflow):
        class Meta:
            name = "take_order"

        again = call_workflow("take_ordre")

    (message,) = told(check_workflows)
    assert 'did you mean "take_order"?' in message.msg


def test_a_workflow_that_is_there_may_be_called_by_class_name_and_callable(a_workflow):
    class Order(Workflow):
        by_class = call_workflow(a_workflow)
        by_name = call_workflow(a_workflow.definition.name)
        started = start_workflow(a_workflow.definition.name)
        itself = start_workflow("self")
        asked = call_workflow(lambda self: self.input["workflow"])

    assert told(check_workflows) == []


def test_workflows_that_call_each_other_may_stand_in_any_order():
    class First(Workflow):
        class Meta:
            name = "first"

        then = call_workflow("second")

    assert ids(told(check_workflows)) == ["E014"]

    class Second(Workflow):
        class Meta:
            name = "second"

        again = start_workflow("first")

    assert told(check_workflows) == []
