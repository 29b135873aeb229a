"""An order that nobody can be charged for, and what is to be seen of a run that is repaired."""

import durable_django as durable
from durable_django import Retry, Workflow, hours, step
from durable_django.models import AuditEntry
from durable_django.testing import drain


def make_order():
    """Fails at its second node, unless its input or its context has an email."""

    class Order(Workflow):
        class Meta:
            name = "take_order"
            timeout = hours(2)

        @step
        def validate(self):
            self.context["email"] = self.input.get("email", "")

        @step(retry=Retry(2, backoff="constant", base=0))
        def charge(self):
            if not self.context["email"]:
                raise ValueError("nobody to charge")
            return {"paid": True}

        @step
        def confirm(self):
            return [self.outputs["charge"], self.context["email"]]

    return Order


def rows_of(execution):
    """(path, status, output, next path) of each step run."""
    rows = execution.steps.order_by("id")
    return [(row.path, row.status, row.output, row.next_path) for row in rows]


def history(execution):
    """(verb, by, reason) of what was done to a run."""
    rows = AuditEntry.objects.filter(execution=execution).order_by("id")
    return [(entry.verb, entry.by, entry.reason) for entry in rows]


def detail_of(execution):
    """The detail of what was done to it last."""
    return AuditEntry.objects.filter(execution=execution).latest("id").detail


def after(execution):
    """The run as it stands when all has been driven."""
    drain()
    return durable.get_execution(execution)
