"""What a run asks of people, as lines for them and as a document for programs. Reads no row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..engine import values
from ..inputs.forms import is_approval, specs_of
from ..models import PendingInput
from .run_values import RunValues

CHOICES_TOLD_MAX: Final = 20


def expects(wait: PendingInput, shown: RunValues) -> Iterator[str]:
    """What an answer may be: the values to choose from, or each field."""
    request = wait.request
    fields = specs_of(request)
    if fields:
        yield "a mapping of these fields:"
        for spec in fields:
            yield f"  {_field(spec, shown)}"
    elif is_approval(request):
        yield "approved or rejected"
    elif request.get("form") == "choice":
        yield f"one of: {_choices(request, shown)}"
    elif request.get("form") == "text":
        yield "a text"
    else:
        yield "any value"


def document(wait: PendingInput, prompt: str, shown: RunValues) -> dict[str, Any]:
    """An input that is waited for, for programs."""
    return {
        "id": wait.pk,
        "name": wait.name,
        "node": wait.node,
        "index": wait.index,
        "form": wait.form,
        "prompt": prompt,
        "fields": shown.plain(wait.fields),
        "choices": shown.plain(wait.choices),
        "assignee_kind": wait.assignee_kind,
        "assignee": wait.assignee,
        "created_at": wait.created_at,
        "due_at": wait.due_at,
    }


def _field(spec: Mapping[str, Any], shown: RunValues) -> str:
    name = spec["name"]
    limits = [f"{word} {spec[word]}" for word in ("min", "max") if spec.get(word) is not None]
    parts = [spec["type"].replace("_", " "), *limits]
    if spec.get("choices"):
        parts.append(f"one of {_choices(spec, shown)}")
    if not spec.get("required", True):
        parts.append("may be left out")
    return f"{name}: {', '.join(map(str, parts))}"


def _choices(asked: Mapping[str, Any], shown: RunValues) -> str:
    found = [values.encode(shown.plain(value), "choice") for value, _label in asked["choices"]]
    more = ", …" if len(found) > CHOICES_TOLD_MAX else ""
    return ", ".join(found[:CHOICES_TOLD_MAX]) + more
