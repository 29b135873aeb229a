"""Inputs that are waited for, made by hand: what a parked run would have left."""

from typing import Any

from durable_django.definition.choices import read_choices
from durable_django.definition.input_fields import read_fields
from durable_django.engine import values
from durable_django.models import Execution, PendingInput, Wait
from tests.admin.rows import make_run, now


def make_wait(run: Execution | None = None, kind: str = "input", **fields: Any) -> Wait:
    """A wait of a run that is parked; its columns may be given."""
    run = run or make_run("waiting")
    node = fields.get("node", "approval")
    needs = {"resolved_at": now()} if fields.get("status") in OVER else {}
    return Wait.objects.create(
        **{
            "execution": run,
            "member": run,
            "path": node,
            "node": node,
            "name": fields.get("name", node),
            "kind": kind,
            "created_at": now(),
            **needs,
            **fields,
        }
    )


OVER = ("completed", "failed", "timed_out", "cancelled")


def ask(run: Execution | None = None, form: str = "approval", **options: Any) -> PendingInput:
    """A request for input. `prompt`, `fields`, `choices` and `index` are what is asked, `to` is
    "user:anna" and the like, all else are columns."""
    request = {"form": form, "prompt": options.pop("prompt", "")}
    fields, choices = options.pop("fields", None), options.pop("choices", None)
    request["fields"] = read_fields(fields) if fields else []
    request["choices"] = read_choices(choices) if choices else []
    if "index" in options:
        request["index"] = options.pop("index")
    kind, _, name = options.pop("to", "").partition(":")
    wait = make_wait(
        run,
        request_text=values.encode(request, "request"),
        assignee_kind=kind,
        assignee=name,
        **options,
    )
    return PendingInput.objects.get(pk=wait.pk)
