"""Start a workflow from a form: which one, with which input, and when.

The input is judged by the gate and by the workflow's own ``clean_input``; the API does the rest.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any, is_typeddict
from urllib.parse import urlencode

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
from ...models import Execution
from ...models.execution import ExecutionKind
from ...showing.visible import visible
from ..seeing import offered_workflows
from .json_field import ValueField, as_text
from .pages import REFUSALS, ActionPages, Unseen, prefix
from .start_options import OptionsForm

PERMISSION = "durable_django.start_execution"


class WorkflowForm(forms.Form):
    """Which workflow."""

    workflow = forms.ChoiceField(label=_("Workflow"))

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        field: Any = self.fields["workflow"]
        field.choices = [(name, name) for name in names]


class StartForm(OptionsForm):
    """What a run is started with."""

    field_order = ["input"]

    input = ValueField(label=_("Input"), path="input", required=False, empty={}, rows=8)
    idempotency_key = forms.CharField(
        label=_("Idempotency key"),
        required=False,
        max_length=255,
        widget=widgets.AdminTextInputWidget,
        help_text=_("If this workflow has been started with it already, nothing is started."),
    )


class StartPages(ActionPages):
    """Adds the page that starts a workflow."""

    start_template = "admin/durable_django/execution/start.html"

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

    def workflow_asked(self, request: HttpRequest) -> Any:
        """The class that the address names, None where it names none. PermissionDenied, and
        Http404 for one that is not offered to this person."""
        if not self.may_start(request):
            raise PermissionDenied
        name = request.GET.get("workflow")
        if not name:
            return None
        if name not in self.startable(request):
            raise Http404
        return registry.get(name)

    def start_view(self, request: HttpRequest) -> HttpResponse:
        """Asks which workflow (GET), then with what (GET ``?workflow=``), and starts it (POST)."""
        cls = self.workflow_asked(request)
        if cls is None:
            return self.choose(request, gettext("Start a workflow"), other="start_many")
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
            form.refuse(error, "input")
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

    def choose(self, request: HttpRequest, title: str, *, other: str) -> HttpResponse:
        """Asks which workflow. ``other`` names the page beside this one."""
        form = WorkflowForm(self.startable(request))
        context = {"title": title, "submit": gettext("Choose"), "method": "get"}
        return self.ask_start(request, form, context, other=other)

    def ask_start(
        self,
        request: HttpRequest,
        form: Any,
        context: dict[str, Any],
        *,
        other: str,
        cls: Any = None,
    ) -> HttpResponse:
        """The page that asks, with a link to the ``other`` one, for the same workflow."""
        query = {} if cls is None else {"workflow": cls.definition.name}
        address = self.url(other) + (f"?{urlencode(query)}" if query else "")
        common = {
            "original": context["title"],
            "verb": "start",
            "back_url": self.with_filters(request, self.url("changelist")),
            f"{other}_url": self.with_filters(request, address),
        }
        response: Any = self.ask(request, form, {**common, **context})
        response.template_name = self.start_template
        return response  # type: ignore[no-any-return]

    def _ask_start(self, request: HttpRequest, cls: Any, form: StartForm) -> HttpResponse:
        title = gettext("Start %(workflow)s") % {"workflow": cls.definition.name}
        context = {"title": title, "explains": doc_of(cls), "submit": gettext("Start")}
        return self.ask_start(request, form.hinting(cls), context, other="start_many", cls=cls)


def doc_of(cls: Any) -> list[str]:
    """What the class says of itself, in its docstring."""
    doc = (cls.__doc__ or "").strip()
    return [doc] if doc else []


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
