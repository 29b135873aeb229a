"""start and start_many: what is asked for is judged before anything is written."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ValidationError
from django.db import transaction
from django.test import override_settings

import durable_django as durable
from durable_django import Workflow, WorkflowNotFound, hours, step
from durable_django.models import Execution
from durable_django.signals import execution_started

LATER = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def Order(durable):
    class Order(Workflow):
        class Meta:
            name = "take_order"
            queue = "high"
            priority = 3
            timeout = hours(2)

        @step
        def validate(self):
            return self.input

    return Order


@pytest.fixture
def started():
    """What the signal told: (workflow, id) of each run."""
    told = []

    def receive(sender, execution_id, **rest):
        told.append((sender, execution_id))

    execution_started.connect(receive)
    yield told
    execution_started.disconnect(receive)


def test_a_run_is_started_by_class_by_name_or_on_the_class(Order):
    runs = [durable.start(Order, {"n": 1}), durable.start("take_order"), Order.start({"n": 3})]
    assert [run.input for run in runs] == [{"n": 1}, {}, {"n": 3}]
    assert [run.workflow_name for run in runs] == ["take_order"] * 3
    assert [durable.get_execution(run).status for run in runs] == ["pending"] * 3


def test_what_is_not_given_is_the_workflows_own(Order):
    run = Order.start()
    assert (run.queue, run.priority) == ("high", 3)
    assert run.timeout_at - run.created_at == timedelta(hours=2)
    run = Order.start(queue="low", priority=-1, timeout=None, tags=["a"], scheduled_at=LATER)
    assert (run.queue, run.priority, run.timeout_at) == ("low", -1, None)
    assert (run.tags, run.scheduled_at, run.status) == (["a"], LATER, "scheduled")


def test_a_key_already_used_gives_the_run_that_has_it_and_tells_no_start(
    Order, started, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        first = Order.start({"n": 1}, idempotency_key="k")
        second = Order.start({"n": 2}, idempotency_key="k")
    assert second.pk == first.pk
    assert Execution.objects.count() == 1
    assert started == [("take_order", first.pk)]


def test_many_runs_are_started_in_order_and_each_is_told(
    Order, started, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        ids = durable.start_many(Order, ({"n": n} for n in range(3)), tags=["batch"], queue="low")
    assert [durable.get_execution(pk).input["n"] for pk in ids] == [0, 1, 2]
    assert {durable.get_execution(pk).queue for pk in ids} == {"low"}
    assert started == [("take_order", pk) for pk in ids]
    assert durable.start_many(Order, []) == []


def test_one_key_cannot_stand_for_many_runs(Order):
    with pytest.raises(ValueError, match="start_many takes no idempotency_key"):
        durable.start_many(Order, [{}], idempotency_key="k")


@pytest.mark.django_db(transaction=True)
def test_a_start_in_a_transaction_commits_and_rolls_back_with_it_and_is_told_then(Order, started):
    with transaction.atomic():
        Order.start()
        durable.start_many(Order, [{}, {}])
        transaction.set_rollback(True)
    assert (Execution.objects.count(), started) == (0, [])
    with transaction.atomic():
        run = Order.start()
        assert started == []
    assert started == [("take_order", run.pk)]
    assert durable.get_execution(run).status == "pending"


# Bad input


def refused(error, match, act):
    with pytest.raises(error, match=match) as caught:
        act()
    assert Execution.objects.count() == 0
    return caught.value


def test_an_input_that_cannot_be_stored_is_refused_by_its_path(Order):
    given = {"order": {"items": [1, {"price": object()}]}}
    error = refused(durable.NotSerializable, "cannot be stored", lambda: Order.start(given))
    assert error.path == 'input["order"]["items"][1]["price"]'
    error = refused(
        durable.NotSerializable,
        "cannot be stored",
        lambda: durable.start_many(Order, [{}, {"a": object()}]),
    )
    assert error.path == 'input[1]["a"]'


@override_settings(DURABLE={"MAX_PAYLOAD_BYTES": 100})
def test_an_input_that_is_too_large_is_refused(Order):
    error = refused(durable.PayloadTooLarge, "input", lambda: Order.start({"a": "x" * 100}))
    assert (error.path, error.size, error.limit) == ("input", 108, 100)
    Order.start({"a": "x" * 92})


def test_a_workflow_nobody_has_is_refused_with_the_name_that_was_meant(Order):
    refused(durable.WorkflowNotFound, "take_order", lambda: durable.start("take_oder"))
    refused(TypeError, "a workflow is", lambda: durable.start(42))
    refused(TypeError, "a workflow is", lambda: durable.start(Order.validate))


def test_an_abstract_workflow_cannot_be_started(durable):
    class Base(Workflow):
        class Meta:
            abstract = True

        @step
        def a(self): ...

    with pytest.raises(WorkflowNotFound, match="abstract"):
        Base.start()


@override_settings(DURABLE={"QUEUES": {"high": {}, "low": {}}})
def test_where_queues_are_named_only_those_and_default_exist(Order):
    refused(durable.QueueNotFound, "hihg.*high", lambda: Order.start(queue="hihg"))
    assert Order.start(queue="low").queue == "low"
    assert Order.start(queue="default").queue == "default"


FAR_EAST = timezone(timedelta(hours=14))
FAR_WEST = timezone(-timedelta(hours=12))


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"scheduled_at": datetime(2100, 1, 1)}, ValueError, "aware datetime"),  # noqa: DTZ001
        ({"scheduled_at": "tomorrow"}, ValueError, "aware datetime"),
        ({"scheduled_at": datetime(9999, 12, 31, 23, tzinfo=FAR_WEST)}, ValueError, "scheduled_at"),
        ({"scheduled_at": datetime(1, 1, 1, tzinfo=FAR_EAST)}, ValueError, "scheduled_at"),
        ({"priority": 1.5}, TypeError, "priority"),
        ({"priority": True}, TypeError, "priority"),
        ({"priority": 40_000}, ValueError, "priority"),
        ({"queue": ""}, ValueError, "queue"),
        ({"queue": 5}, TypeError, "queue"),
        ({"queue": None}, TypeError, "queue"),
        ({"timeout": 0}, ValueError, "timeout"),
        ({"timeout": -1}, ValueError, "timeout"),
        ({"timeout": "1h"}, TypeError, "timeout"),
        ({"idempotency_key": ""}, ValueError, "idempotency_key"),
        ({"idempotency_key": "x" * 256}, ValueError, "idempotency_key"),
        ({"idempotency_key": "nul\0"}, ValueError, "idempotency_key"),
        ({"idempotency_key": 7}, TypeError, "idempotency_key"),
        ({"tags": [""]}, TypeError, "tags"),
        ({"tags": [1]}, TypeError, "tags"),
        ({"tags": 5}, TypeError, "tags"),
        ({"tags": {"a": [1]}}, TypeError, r"tags\['a'\]"),
        ({"tags": {"a": object()}}, durable.NotSerializable, "tags"),
        ({"tags": {1: "a"}}, durable.NotSerializable, "tags"),
        ({"tags": {"a": float("nan")}}, durable.NotSerializable, "tags"),
        ({"tags": {"$": 1}}, ValueError, "tags"),
        ({"tags": ["nul\0"]}, durable.NotSerializable, "tags"),
        ({"que": "high"}, TypeError, "que"),
    ],
)
def test_an_option_that_is_wrong_is_refused_by_its_name(Order, options, error, match):
    refused(error, match, lambda: Order.start({}, **options))
    if "idempotency_key" not in options:
        refused(error, match, lambda: durable.start_many(Order, [{}], **options))


def test_tags_are_texts_or_a_mapping_of_scalars(Order):
    assert Order.start(tags="vip").tags == ["vip"]
    assert Order.start(tags=("b", "a", "b")).tags == ["b", "a"]
    assert Order.start(tags={"b": 1, "a": None}).tags == {"b": 1, "a": None}
    assert Order.start().tags == []


# clean_input


@pytest.fixture
def Careful(durable):
    class Careful(Workflow):
        @classmethod
        def clean_input(cls, input):
            if "id" not in input:
                raise ValidationError({"id": "is missing"})
            return {**input, "id": int(input["id"])}

        @step
        def only(self):
            return self.input["id"]

    return Careful


def test_the_input_is_what_clean_input_makes_of_it(Careful):
    assert Careful.start({"id": "7"}).input == {"id": 7}
    (pk,) = durable.start_many(Careful, [{"id": "8"}])
    assert durable.get_execution(pk).input == {"id": 8}


def test_an_input_that_clean_input_refuses_starts_nothing(Careful):
    error = refused(ValidationError, "is missing", lambda: Careful.start({}))
    assert error.message_dict == {"id": ["is missing"]}
    refused(ValidationError, "is missing", lambda: durable.start_many(Careful, [{"id": 1}, {}]))


# Coroutines


@pytest.mark.django_db(transaction=True)
def test_runs_are_started_from_coroutines(Order):
    async def begin():
        one = await durable.astart(Order, {"n": 1})
        two = await Order.astart({"n": 2}, tags=["a"])
        return [one.pk, two.pk, *await durable.astart_many(Order, [{"n": 3}])]

    ids = async_to_sync(begin)()
    assert [durable.get_execution(pk).input["n"] for pk in ids] == [1, 2, 3]
    with pytest.raises(durable.WorkflowNotFound):
        async_to_sync(durable.astart)("nobody")
