"""The way of an answer: may they, is it valid, can it be stored; then it is recorded and told.

All is judged before anything is written, so that a refused answer leaves the run waiting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from .. import signals
from ..conf import settings
from ..definition.spelling import did_you_mean
from ..engine import values
from ..models import Wait
from ..store import answering as store
from .fields import as_data
from .forms import APPROVED, REJECTED, VALUE, AnswerForm, form_for, is_approval, takes_anything
from .people import check_may_answer

COMMENT_BYTES_MAX = 10_000


class Answer(NamedTuple):
    """An answer that was found good, ready to be recorded. ``by`` is a username, "" for code."""

    wait: Wait
    value_text: str
    by: str
    comment: str


def judged(wait: Wait, value: Any, by: Any = None, comment: str = "") -> Answer:
    """The answer of ``by``, a user (None: of code, which may always answer), as it can be recorded.

    PermissionDenied, ValidationError with the form's messages, NotSerializable, PayloadTooLarge,
    TypeError for a comment that is no text.
    """
    if not isinstance(comment, str):
        raise TypeError(f"comment must be a string, not {comment!r}")
    if by is not None:
        check_may_answer(wait, by)
    text = values.encode(checked_value(wait, value), "value", limit=settings.MAX_PAYLOAD_BYTES)
    name = "" if by is None else by.get_username()
    return Answer(wait, text, name, values.visible(comment, COMMENT_BYTES_MAX))


def record(answer: Answer) -> None:
    """Records an answer, commits or rolls back with the caller's transaction, and tells of it when
    that has committed. InvalidState if it is not waited for any more."""
    wait = answer.wait
    store.answer(wait.pk, answer.value_text, by=answer.by, comment=answer.comment)
    if signals.input_answered.receivers:
        workflow_name = wait.execution.workflow_name
        transaction.on_commit(lambda: _tell(answer, workflow_name), using=settings.DATABASE)


def _tell(answer: Answer, workflow_name: str) -> None:
    signals.input_answered.send_robust(
        sender=workflow_name,
        execution_id=answer.wait.execution_id,
        pending_input_id=answer.wait.pk,
        name=answer.wait.name,
        by=answer.by,
    )


def checked_value(wait: Wait, value: Any) -> Any:
    """What the run is given when code answers ``value``: the form's cleaned value.

    A form takes a mapping, an approval "approved", "rejected" or a boolean, a choice one of its
    values, by JSON type and value; an input of which nothing is said takes anything.
    ValidationError otherwise, with the form's messages by field in ``error_dict``; those of a
    request without fields are under "value".
    """
    request = wait.request
    if takes_anything(request):
        return value
    form_class = form_for(wait)
    if not form_class.specs:
        return _checked_one(form_class, _decision(value) if is_approval(request) else value)
    if not isinstance(value, Mapping):
        names = ", ".join(spec["name"] for spec in form_class.specs)
        said = _("Give a mapping with the fields %(names)s.") % {"names": names}
        raise ValidationError({VALUE: [ValidationError(said, code="invalid")]})
    return _checked_fields(form_class, value)


def _decision(value: Any) -> Any:
    if isinstance(value, bool):
        return APPROVED if value else REJECTED
    return value


def _checked_one(form_class: type[AnswerForm], value: Any) -> Any:
    field = form_class.base_fields[VALUE]
    try:
        data = as_data({"type": "text"}, field, value)
    except ValidationError as error:
        raise ValidationError({VALUE: error}) from None
    return _answer_of(form_class({VALUE: data}), {})


def _checked_fields(form_class: type[AnswerForm], given: Mapping[Any, Any]) -> Any:
    data: dict[str, Any] = {}
    errors: dict[str, ValidationError] = {}
    fields = form_class.base_fields
    for name in given:
        if name not in fields:
            meant = did_you_mean(str(name), fields)
            said = _("There is no field of this name%(meant)s") % {"meant": meant or "."}
            errors[values.visible(name, 200)] = ValidationError(said, code="unknown")
    for spec in form_class.specs:
        name = spec["name"]
        if name in given:
            try:
                data[name] = as_data(spec, fields[name], given[name])
            except ValidationError as error:
                errors[name] = error
    return _answer_of(form_class(data), errors)


def _answer_of(form: AnswerForm, errors: Mapping[str, ValidationError]) -> Any:
    """What a valid form gives; ValidationError with all that is wrong."""
    found: dict[str, Any] = dict(form.errors.as_data())
    found.update(errors)
    if found:
        raise ValidationError(found)
    return form.answer
