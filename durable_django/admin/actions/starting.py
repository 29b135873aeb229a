"""Start a workflow from a form: which one, with which input, and when.

The input is judged by the gate and by the workflow's own ``clean_input``; the API does the rest.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from typing import Any, is_typeddict

from django import forms
from django.contrib import messages
from django.contrib.admin import widgets
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ...conf import settings
from ...definition import registry
from ...exceptions import QueueNotFound
from ...models import Execution
from ...models.execution import ExecutionKind
from ...showing.visible import visible
from ..inputs_page import NamedSplitDateTime
from ..seeing import offered_workflows
from .json_field import ValueField, as_text
from .pages import REFUSALS, ActionPages, Unseen, prefix, said

PERMISSION = "durable_django.start_execution"


class TagsField(forms.CharField):
    """Tags as people write them: ``vip, customer=42``."""

    def clean(self, value: Any) -> Any:
        words = [word.strip() for word in super().clean(value).split(",")]
        words = [word for word in words if word]
        if not any("=" in word for word in words):
            return words
        pairs = (word.partition("=") for word in words)
        return {name.strip(): text.strip() if equals else True for name, equals, text in pairs}


class WorkflowForm(forms.Form):
    """Which workflow."""

    workflow = forms.ChoiceField(label=_("Workflow"))

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        field: Any = self.fields["workflow"]
        field.choices = [(name, name) for name in names]


class StartForm(forms.Form):
    """What a run is started with; what is left empty is the workflow's own."""

    input = ValueField(label=_("Input"), path="input", required=False, empty={}, rows=8)
    queue = forms.CharField(
        label=_("Queue"), required=False, max_length=100, widget=widgets.AdminTextInputWidget
    )
    priority = forms.IntegerField(
        label=_("Priority"),
        required=False,
        min_value=-32_768,
        max_value=32_767,
        widget=widgets.AdminIntegerFieldWidget,
        help_text=_("Higher first."),
    )
    scheduled_at = forms.SplitDateTimeField(
        label=_("Not before"), required=False, widget=NamedSplitDateTime
    )
    tags = TagsField(
        label=_("Tags"),
        required=False,
        widget=widgets.AdminTextInputWidget,
        help_text=_("Words, or names with values: vip, customer=42"),
    )
    idempotency_key = forms.CharField(
        label=_("Idempotency key"),
        required=False,
        max_length=255,
        widget=widgets.AdminTextInputWidget,
        help_text=_("If this workflow has been started with it already, nothing is started."),
    )

    def options(self) -> dict[str, Any]:
        """The keywords of ``start`` that were given."""
        names = ("queue", "priority", "scheduled_at", "tags", "idempotency_key")
        return {name: self.cleaned_data[name] for name in names if self._is_given(name)}

    def _is_given(self, name: str) -> bool:
        return self.cleaned_data[name] not in (None, "", [])


class StartPages(ActionPages):
    """Adds the page that starts a workflow."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.start_view)
        return [path("start/", view, name=f"{prefix()}_start"), *super().get_urls()]

    def may_start(self, request: HttpRequest) -> bool:
        """Whether this person may start workflows."""
        return bool(request.user.has_perm(PERMISSION)) and self.has_view_permission(request)

    def startable(self, request: HttpRequest) -> list[str]:
        """The names of the workflows that are offered to this person: those that are known here.
        Who sees only some runs, and no definitions, is offered the workflows of those runs. A run
        that its starter could not see is not started, whatever is offered."""
        offered = set(offered_workflows(request, self, "workflow_name"))
        known = dict.fromkeys(cls.definition.name for cls in registry.all())
        return [name for name in known if name in offered]

    def start_view(self, request: HttpRequest) -> HttpResponse:
        """Asks which workflow (GET), then with what (GET ``?workflow=``), and starts it (POST)."""
        if not self.may_start(request):
            raise PermissionDenied
        name = request.GET.get("workflow")
        if not name:
            return self._choose(request)
        if name not in self.startable(request):
            raise Http404
        cls = registry.get(name)
        posted = request.method == "POST"
        form = StartForm(request.POST if posted else None, initial={"input": skeleton(cls)})
        if posted and form.is_valid():
            started = self._start(request, cls, form)
            if started is not None:
                return started
        return self._ask_start(request, cls, form)

    def _start(self, request: HttpRequest, cls: Any, form: StartForm) -> HttpResponse | None:
        """To the page of the run; None, with the reason on the form, if it was refused."""
        from ... import api

        options = form.options()
        there = self._with_key(cls, options.get("idempotency_key"))
        if there is not None:
            return self._is_there(request, form, there)
        try:
            with transaction.atomic(using=settings.DATABASE):
                run = api.start(cls, form.cleaned_data["input"], by=request.user, **options)
                self.check_seen(request, run)
                self.log_addition(request, run, gettext("Started"))
        except Unseen as error:
            form.add_error(None, str(error))
            return None
        except (ValidationError, *REFUSALS) as error:
            _refuse(form, error)
            return None
        told = gettext("%(run)s was started.") % {"run": run}
        self.message_user(request, visible(told), messages.SUCCESS)
        return HttpResponseRedirect(self.page_of(request, run))

    def _with_key(self, cls: Any, key: str | None) -> Execution | None:
        if key is None:
            return None
        rows = Execution.objects.using(settings.DATABASE).filter(kind=ExecutionKind.WORKFLOW)
        return rows.filter(workflow_name=cls.definition.name, idempotency_key=key).first()

    def _is_there(self, request: HttpRequest, form: Any, run: Execution) -> HttpResponse | None:
        """Nothing is started; the run that has the key is shown to who may see it."""
        told = gettext("Nothing was started: a run of this workflow has this idempotency key.")
        if not self.get_queryset(request).filter(pk=run.pk).exists():
            form.add_error("idempotency_key", told)
            return None
        self.message_user(request, told, messages.WARNING)
        return HttpResponseRedirect(self.page_of(request, run))

    def _choose(self, request: HttpRequest) -> HttpResponse:
        return self.ask(
            request,
            WorkflowForm(self.startable(request)),
            {
                "title": gettext("Start a workflow"),
                "original": gettext("Start a workflow"),
                "verb": "start",
                "submit": gettext("Choose"),
                "method": "get",
                "back_url": self.with_filters(request, self.url("changelist")),
            },
        )

    def _ask_start(self, request: HttpRequest, cls: Any, form: StartForm) -> HttpResponse:
        definition = cls.definition
        form.fields["queue"].widget.attrs["placeholder"] = definition.options.queue
        form.fields["priority"].widget.attrs["placeholder"] = str(definition.options.priority)
        doc = (cls.__doc__ or "").strip()
        title = gettext("Start %(workflow)s") % {"workflow": definition.name}
        return self.ask(
            request,
            form,
            {
                "title": title,
                "original": title,
                "verb": "start",
                "explains": [doc] if doc else [],
                "submit": gettext("Start"),
                "back_url": self.with_filters(request, self.url("changelist")),
            },
        )


def skeleton(cls: Any) -> str:
    """What the input looks like, as far as the class says it: the keys of its TypedDict."""
    return as_text(dict.fromkeys(_keys(cls)))


def _keys(cls: Any) -> list[str]:
    for each in cls.__mro__:
        found: Any = inspect.get_annotations(each).get("input")
        if isinstance(found, str):
            found = getattr(sys.modules.get(each.__module__), found, None)
        if is_typeddict(found):
            return list(inspect.get_annotations(found))
    return []


def _refuse(form: StartForm, error: BaseException) -> None:
    """Puts a refusal beside the field that it is about."""
    if isinstance(error, ValidationError):
        form.add_error("input", _messages(error))
    elif isinstance(error, QueueNotFound):
        form.add_error("queue", said(error))
    else:
        named = next((name for name in form.fields if str(error).startswith(name)), None)
        form.add_error(named, said(error))


def _messages(error: ValidationError) -> Any:
    """The messages of ``clean_input``, each with the key that it is about."""
    if not hasattr(error, "error_dict"):
        return error.messages
    found: Mapping[str, list[str]] = error.message_dict
    return [f"{key}: {text}" for key, texts in found.items() for text in texts]
