"""The page of a request for input: what is asked, by which run, and a form to answer it.

A GET only shows. A POST needs ``durable_django.answer_input`` and to be the one who is asked; what
becomes of the answer is decided by ``inputs.answering``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers, widgets
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..conf import settings
from ..exceptions import InvalidState, NotSerializable
from ..inputs import answering
from ..inputs.fields import Choices, LongText, Widgets
from ..inputs.forms import APPROVED, REJECTED, VALUE, form_for, is_approval
from ..inputs.people import may_answer
from ..models import Wait, WaitKind
from ..showing.masking import Mask
from ..showing.prompts import assigned_to, masks_of, shown_prompt
from ..showing.visible import visible
from ..store import clock
from . import badges, moments
from .facts import Fact, link
from .revealing import reveals
from .seeing import visible_runs
from .shown import Shown
from .waits import WaitView, wait_view

TITLE_LENGTH_MAX: Final = 120
VALUE_LENGTH_MAX: Final = 20_000
PREFIX: Final = "answer"
# Columns of the run and the member that may be large and are not shown here.
PAYLOADS: Final = tuple(
    f"{row}__{column}"
    for row in ("execution", "member")
    for column in ("input_text", "snapshot", "result_text", "error_text", "changes_text")
)
# No field of a workflow can be called so.
COMMENT: Final = "with-comment"
COMMENT_LENGTH_MAX: Final = 2_000


class NamedSplitDateTime(widgets.AdminSplitDateTime):
    """The admin's, each of whose two fields says which it is to those who cannot see it, too."""

    def __init__(self, attrs: Any = None) -> None:
        super().__init__(attrs)
        for part, name in zip(self.widgets, (_("Date"), _("Time")), strict=True):
            part.attrs["aria-label"] = name


ADMIN_WIDGETS: Final[Widgets] = {
    "text": widgets.AdminTextInputWidget,
    "long_text": lambda: widgets.AdminTextareaWidget({"rows": 5}),
    "integer": widgets.AdminIntegerFieldWidget,
    "email": widgets.AdminEmailInputWidget,
    "date": widgets.AdminDateWidget,
    "datetime": NamedSplitDateTime,
}


def answer_form(wait: Wait, data: Any) -> Any:
    """The form of a request with a comment at its end, bound if there are data."""
    comment = LongText(
        label=_("Comment"),
        required=False,
        max_length=COMMENT_LENGTH_MAX,
        widget=widgets.AdminTextareaWidget({"rows": 3}),
        help_text=_("Kept beside the answer. The workflow can read it."),
    )
    form = form_for(wait, ADMIN_WIDGETS)(data, prefix=PREFIX)
    form.fields[COMMENT] = comment
    return form


class AnswerMixin(admin.ModelAdmin):
    """Puts the page of a request in the place of Django's form for changing a row."""

    answer_template = "admin/durable_django/pendinginput/answer.html"

    def visible(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Of these waits those that this person may see."""
        raise NotImplementedError

    def has_answer_permission(self, request: HttpRequest, obj: Wait | None = None) -> bool:
        """Whether this person may answer requests, and this one."""
        may = request.user.has_perm("durable_django.answer_input")
        may = may and self.has_view_permission(request)
        return may and (obj is None or may_answer(obj, request.user))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Shows a request (GET), answers it (POST). One that has been answered, or is not waited
        for any more, says so."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        wait = self._wait(request, unquote(object_id))
        if wait is None:
            said = gettext("There is no such request, or it is not for you.")
            self.message_user(request, said, messages.WARNING)
            return HttpResponseRedirect(self._inbox(request))
        may = self.has_answer_permission(request, wait)
        if request.method == "POST" and not may:
            raise PermissionDenied
        if not is_answerable(wait):
            return self._stale(request, wait)
        form = answer_form(wait, request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            answered = self._answer(request, wait, form)
            if answered is not None:
                return answered
        return self._show(request, wait, form if may else None)

    def _wait(self, request: HttpRequest, object_id: str) -> Wait | None:
        """Also one that has been answered: whoever comes too late is told so."""
        if not object_id.isdecimal() or len(object_id) > 18:
            return None
        rows = Wait.objects.using(settings.DATABASE).filter(kind=WaitKind.INPUT)
        rows = rows.select_related("execution", "member").defer(*PAYLOADS)
        found = self.visible(request, rows)
        return found.filter(pk=int(object_id)).first()

    def _answer(self, request: HttpRequest, wait: Wait, form: Any) -> HttpResponse | None:
        """Back to the inbox; None, with the reason on the form, if it was refused."""
        comment = form.cleaned_data[COMMENT]
        try:
            answer = answering.judged(wait, form.answer, request.user, comment)
        except (ValidationError, NotSerializable) as error:
            form.add_error(None, _refusal(error))
            return None
        said = gettext('Answered "%(name)s"') % {"name": wait.name}
        try:
            with transaction.atomic(using=settings.DATABASE):
                answering.record(answer)
                self.log_change(request, wait.execution, said)
        except InvalidState:
            return self._too_late(request)
        told = gettext("Your answer was given: %(asked)s")
        asked = shown_prompt(wait, masks_of([wait], reveal=reveals(request))[wait.pk])
        asked = Truncator(asked).chars(TITLE_LENGTH_MAX)
        self.message_user(request, told % {"asked": asked}, messages.SUCCESS)
        return HttpResponseRedirect(self._inbox(request))

    def _stale(self, request: HttpRequest, wait: Wait) -> HttpResponse:
        if request.method == "POST":
            return self._too_late(request)
        return self._show(request, wait, None)

    def _too_late(self, request: HttpRequest) -> HttpResponse:
        said = gettext("Your answer was not given: this is not waited for any more.")
        self.message_user(request, said, messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())

    def _show(self, request: HttpRequest, wait: Wait, form: Any) -> TemplateResponse:
        now = clock.now()
        mask = masks_of([wait], reveal=reveals(request))[wait.pk]
        asked = shown_prompt(wait, mask)
        title = Truncator(asked.partition("\n")[0]).chars(TITLE_LENGTH_MAX)
        approval = is_approval(wait.request)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "subtitle": None,
            "original": visible(str(wait)),
            "prompt": asked if asked != title else "",
            "facts": self._facts(request, wait, now),
            "outcome": None if is_answerable(wait) else _outcome(wait, mask, now),
            "assigned": assigned_to(wait),
            "is_mine": may_answer(wait, request.user),
            "answers": form is not None,
            "decision": form[VALUE] if form is not None and approval else None,
            "buttons": _buttons() if approval else [],
            "back_url": self._inbox(request),
            "adminform": self._admin_form(form, approval),
            "errors": form.errors if form is not None else None,
            "media": self.media + (form.media if form is not None else forms.Media()),
            "inline_admin_formsets": [],
            "has_view_permission": True,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.answer_template, context)

    def _admin_form(self, form: Any, approval: bool) -> Any:
        """The form as the admin's templates draw it, which need one; the decision is drawn as
        buttons."""
        if form is None:
            return helpers.AdminForm(forms.Form(), [], {}, model_admin=self)  # type: ignore[arg-type]
        names = [name for name in form.fields if not (approval and name == VALUE)]
        return helpers.AdminForm(form, [(None, {"fields": names})], {}, model_admin=self)

    def _facts(self, request: HttpRequest, wait: Wait, now: datetime) -> list[Fact]:
        run, index = wait.execution, wait.request.get("index")
        told = f"{run.workflow_name} v{run.version}"
        runs = visible_runs(self.admin_site, request)
        if runs is not None and runs.filter(pk=run.pk).exists():
            told = link("execution", run.pk, told, self.admin_site.name)
        every = [
            Fact(gettext("Asked by"), told),
            Fact(gettext("Node"), visible(wait.path)),
            Fact(gettext("Item"), None if index is None else str(index)),
            Fact(gettext("For"), assigned_to(wait)),
            Fact(gettext("Since"), moments.at(wait.created_at, now)),
            Fact(gettext("Due"), moments.at(wait.due_at, now)),
        ]
        return [fact for fact in every if fact.value is not None]

    def _inbox(self, request: HttpRequest) -> str:
        """The address of the list, with the filters one came with."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_changelist"
        address = reverse(f"admin:{name}", current_app=self.admin_site.name)
        filters = self.get_preserved_filters(request)
        context: Any = {"preserved_filters": filters, "opts": self.opts}
        return str(add_preserved_filters(context, address))


def is_answerable(wait: Wait) -> bool:
    """Whether it is still waited for, as far as its row tells."""
    in_time = wait.due_at is None or wait.due_at > clock.now()
    return wait.is_open and in_time and not wait.member.is_final


def _outcome(wait: Wait, mask: Mask, now: datetime) -> WaitView:
    """What became of it; one that no worker has looked at since its time was up is open still."""
    found = wait_view(wait, Shown(mask, VALUE_LENGTH_MAX), now)
    if not wait.is_open:
        return found
    if wait.member.is_final:
        return replace(found, badge=badges.execution_badge(wait.member.status))
    return replace(found, badge=badges.badge("timed_out", gettext("time is up")))


def _buttons() -> list[dict[str, str]]:
    """Approve and reject, with what each sends."""
    words = Choices([[APPROVED, ""], [REJECTED, ""]])
    return [
        {"value": str(words.word_for(APPROVED)), "label": gettext("Approve"), "look": "default"},
        {"value": str(words.word_for(REJECTED)), "label": gettext("Reject"), "look": ""},
    ]


def _refusal(error: ValidationError | NotSerializable) -> Any:
    if isinstance(error, ValidationError):
        return error.messages
    return gettext("This answer cannot be kept: %(why)s") % {"why": error}
