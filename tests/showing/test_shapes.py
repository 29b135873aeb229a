"""The shape of a run for programs, as an export and the terminal give it."""

import pytest

import durable_django
from durable_django import Workflow, step
from durable_django.models import Execution
from durable_django.showing.masking import Masks
from durable_django.showing.shapes import error_shape, run_shape, value_shape


@pytest.fixture
def run(durable):
    class Paying(Workflow):
        class Meta:
            name = "paying"
            sensitive = ["card"]

        @step
        def pay(self):
            self.context["card"] = "4111-1111"
            raise ValueError(f"card {self.input['card']} declined")

    return durable.run(Paying, {"card": "4111-1111"}, tags={"of": "4111-1111"})


def shape(run, **options):
    mask = Masks([(run.workflow_name, run.version)]).of(run.workflow_name, run.version)
    return run_shape(run, mask, **options)


def test_what_is_secret_is_masked_wherever_it_stands(run):
    told = shape(run)
    assert told["input"] == {"card": "••••••"}
    assert told["tags"] == {"of": "••••••"}
    assert told["error"]["message"] == "card •••••• declined"
    assert "4111" not in str(told)


def test_what_passes_the_gate_is_all_there_is(run):
    told = shape(run)
    assert list(told) == [
        *("id", "workflow", "version", "status", "queue", "priority", "tags", "idempotency_key"),
        *("parent", "reason", "created_at", "scheduled_at", "started_at", "paused_at"),
        *("finished_at", "input", "result", "error"),
    ]
    assert (told["status"], told["result"]) == ("failed", None)


def test_a_parent_that_may_not_be_seen_is_not_named(run):
    child = durable_django.start("paying", {"card": ""})
    Execution.objects.filter(pk=child.pk).update(parent=run)
    child.refresh_from_db()
    assert shape(child)["parent"] == str(run.pk)
    assert shape(child, sees=lambda pk: False)["parent"] is None


def test_what_cannot_be_read_here_is_said_to_be_so(db):
    mask = Masks([("x", 1)]).of("x", 1)
    broken = '{"$":["datetime","2030-01-31T10:00:00+00:00","Mars/Olympus"]}'
    assert "cannot be read" in value_shape(broken, mask)
    assert "cannot be read" in error_shape("{", mask)
    assert error_shape("", mask) is None
