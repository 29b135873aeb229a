"""The form of a request for input: a Django form made from what the workflow asks.

A form only judges. What becomes of its answer is for ``answering``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from .fields import Widgets, make_field

if TYPE_CHECKING:
    from ..models import Wait

VALUE: Final = "value"
APPROVED: Final = "approved"
REJECTED: Final = "rejected"


class AnswerForm(forms.Form):
    """A request as a form; once it is valid, ``answer`` is what the run is given.

    ``specs`` are the fields that the workflow names; a request without has the one field "value".
    """

    specs: ClassVar[tuple[Mapping[str, Any], ...]] = ()

    @property
    def answer(self) -> Any:
        """A mapping of the fields by name, or the one value."""
        if self.specs:
            return {spec["name"]: self.cleaned_data[spec["name"]] for spec in self.specs}
        return self.cleaned_data[VALUE]


def form_for(wait: Wait, widgets: Widgets = MappingProxyType({})) -> type[AnswerForm]:
    """The form class for an input that is waited for. ``widgets`` are those to use instead of
    Django's usual ones, by the type of the field.

    Usable in a project's own views::

        form = form_for(pending_input)(request.POST)
        if form.is_valid():
            durable.provide_input(pending_input, value=form.answer, by=request.user)
    """
    request = wait.request
    specs = specs_of(request)
    fields = {spec["name"]: make_field(spec, widgets) for spec in specs}
    if not fields:
        fields = {VALUE: make_field(_value_spec(request), widgets)}
    form_class: type[AnswerForm] = type("AnswerForm", (AnswerForm,), fields)
    form_class.specs = specs  # not among the fields, one of which may be called so
    return form_class


def specs_of(request: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The fields that a request names, none for one with a single value."""
    return tuple(request.get("fields") or ())


def is_approval(request: Mapping[str, Any]) -> bool:
    """Whether one is asked to approve or to reject."""
    return request.get("form") == "approval"


def takes_anything(request: Mapping[str, Any]) -> bool:
    """Whether code may give any value, as it may where nothing is said of it."""
    return request.get("form", "input") == "input" and not specs_of(request)


def _value_spec(request: Mapping[str, Any]) -> dict[str, Any]:
    """The one field of a request that names none."""
    spec: dict[str, Any] = {"name": VALUE, "type": "long_text", "label": _("Answer")}
    if is_approval(request):
        choices = [[APPROVED, _("Approve")], [REJECTED, _("Reject")]]
        return {**spec, "type": "choice", "choices": choices, "label": _("Decision")}
    if request.get("form") == "choice":
        return {**spec, "type": "choice", "choices": request["choices"], "label": _("Choice")}
    return spec
