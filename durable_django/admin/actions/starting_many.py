"""Start many runs of a workflow from a file: an input on each line, as JSON.

All lines are judged before the first run is written, and all runs are written in one transaction:
one line that is refused starts nothing. The same file sent twice by the same form starts its runs
once. Reading, judging and starting are ``api_lines``'.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from itertools import islice
from json import JSONDecodeError
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID, uuid4

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ... import api_lines
from ...conf import settings
from ...models import Execution
from ...showing.visible import visible
from ...store.options import settled
from ...store.transactions import repeating
from ..charts import grouped
from ..narrowing import TEXT_LENGTH_MAX
from ..seeing import sees_all
from .pages import REFUSALS, Unseen, prefix
from .start_options import OptionsForm, messages_of
from .starting import StartPages, doc_of

# A page is answered soon, in one transaction; the terminal takes what is larger.
LINES_MAX: Final = 10_000
FILE_BYTES_MAX: Final = 10 * 1024 * 1024
# So many lines that are refused are told; of more, how many. And so much of what is said of one.
TOLD_MAX: Final = 20
TOLD_LENGTH_MAX: Final = 300
BATCH: Final = 1_000


class LinesField(forms.FileField):
    """A file of lines; its cleaned value is what it holds, as bytes."""

    widget = forms.FileInput(attrs={"accept": ".jsonl,.ndjson,.json,.txt"})

    def clean(self, data: Any, initial: Any = None) -> bytes:
        given = super().clean(data, initial)
        if given.size > FILE_BYTES_MAX:
            said = gettext("The file has %(size)s; at most %(most)s are taken here.")
            told = {"size": filesizeformat(given.size), "most": filesizeformat(FILE_BYTES_MAX)}
            raise ValidationError(said % told)
        return bytes(given.read())


class StartManyForm(OptionsForm):
    """A file, and what all of its runs are started with."""

    field_order = ["file"]

    file = LinesField(label=_("File"), allow_empty_file=True)
    only_check = forms.BooleanField(
        label=_("Only check the lines"), required=False, help_text=_("Nothing is started.")
    )
    # By which one sees that this form was sent before.
    once = forms.UUIDField(widget=forms.HiddenInput)

    @property
    def idempotency_key(self) -> str:
        """The key of the runs of this file, sent by this form."""
        digest = hashlib.sha256(self.cleaned_data["file"]).hexdigest()
        return f"file {self.cleaned_data['once']} {digest}"


class StartManyPages(StartPages):
    """Adds the page that starts many runs."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.start_many_view)
        return [path("start/many/", view, name=f"{prefix()}_start_many"), *super().get_urls()]

    def start_many_view(self, request: HttpRequest) -> HttpResponse:
        """Asks which workflow (GET), then for a file (GET ``?workflow=``), and starts a run for
        each of its lines (POST)."""
        cls = self.workflow_asked(request)
        if cls is None:
            return self.choose(request, gettext("Start many runs from a file"), other="start")
        if request.method == "POST":
            form = StartManyForm(request.POST, request.FILES)
            started = self._start_many(request, cls, form) if form.is_valid() else None
            if started is not None:
                return started
        else:
            form = StartManyForm(initial={"once": uuid4()})
        return self._ask_many_starts(request, cls, form)

    def _start_many(
        self, request: HttpRequest, cls: Any, form: StartManyForm
    ) -> HttpResponse | None:
        """To the list of the runs; None, with the reasons on the form, if nothing was started."""
        options = form.options()
        try:
            settled(cls, **options)
            texts = judged(cls, form.cleaned_data["file"])
            if form.cleaned_data["only_check"]:
                self._tell_checked(request, len(texts))
                return None
            ids = repeating(lambda: self._start_all(request, cls, texts, form))
        except ValidationError as error:
            form.add_error("file", error)
            return None
        except Unseen as error:
            form.add_error(None, str(error))
            return None
        except REFUSALS as error:
            form.refuse(error, "file")
            return None
        self._tell_started(request, cls, len(ids))
        return HttpResponseRedirect(self._list_of(cls, options))

    def _start_all(
        self, request: HttpRequest, cls: Any, texts: Sequence[str], form: StartManyForm
    ) -> list[UUID]:
        """Their ids, none if this form has started them already. Writes down who did."""
        with transaction.atomic(using=settings.DATABASE):
            ids = api_lines.start_judged(
                cls,
                texts,
                idempotency_key=form.idempotency_key,
                by=request.user,
                **form.options(),
            )
            self._check_all_seen(request, ids)
            name = cls.definition.name
            user: Any = request.user
            LogEntry.objects.log_actions(
                user_id=user.pk,
                queryset=[Execution(id=pk, workflow_name=name) for pk in ids],
                action_flag=ADDITION,
                change_message=gettext("Started"),
            )
        return ids

    def _check_all_seen(self, request: HttpRequest, ids: Sequence[UUID]) -> None:
        """Unseen, which undoes all of it, for runs of which this person may not see one."""
        runs = self.get_queryset(request)
        if sees_all(runs):
            return
        for begin in range(0, len(ids), BATCH):
            some = ids[begin : begin + BATCH]
            seen = set(runs.filter(id__any=some).values_list("pk", flat=True))
            if len(seen) < len(some):
                raise Unseen(gettext("Nothing was started, since you could not see it."))

    def _tell_checked(self, request: HttpRequest, count: int) -> None:
        told = ngettext(
            "%(number)s line is good. Nothing was started.",
            "All %(number)s lines are good. Nothing was started.",
            count,
        )
        self.message_user(request, told % {"number": grouped(count)}, messages.SUCCESS)

    def _tell_started(self, request: HttpRequest, cls: Any, count: int) -> None:
        if not count:
            told = gettext("Nothing was started: these runs were started by this form already.")
            self.message_user(request, told, messages.WARNING)
            return
        told = ngettext(
            "%(number)s run of %(workflow)s was started.",
            "%(number)s runs of %(workflow)s were started.",
            count,
        ) % {"number": grouped(count), "workflow": visible(cls.definition.name)}
        self.message_user(request, told, messages.SUCCESS)

    def _list_of(self, cls: Any, options: dict[str, Any]) -> str:
        """The list of executions, filtered to what was started, as far as its filters go."""
        found = {"workflow": cls.definition.name, "created": "hour"}
        tags = options.get("tags")
        if isinstance(tags, dict):
            tags = [name if value is True else f"{name}={value}" for name, value in tags.items()]
        if tags and len(tags[0]) <= TEXT_LENGTH_MAX:
            found["tag"] = tags[0]
        return f"{self.url('changelist')}?{urlencode(found)}"

    def _ask_many_starts(self, request: HttpRequest, cls: Any, form: StartManyForm) -> HttpResponse:
        name = cls.definition.name
        limits = {"lines": grouped(LINES_MAX), "size": filesizeformat(FILE_BYTES_MAX)}
        context = {
            "title": gettext("Start many runs of %(workflow)s") % {"workflow": name},
            "explains": [
                *doc_of(cls),
                gettext(
                    "Each line of the file is the input of a run, as JSON; empty lines are left "
                    "out. All lines are checked first: if one is refused, nothing is started."
                ),
                gettext(
                    "At most %(lines)s lines and %(size)s. For more there is durable start-many "
                    "in the terminal."
                )
                % limits,
            ],
            "submit": gettext("Start them"),
            "has_file_field": True,
            "back_url": self.with_filters(
                request, f"{self.url('start')}?{urlencode({'workflow': name})}"
            ),
        }
        return self.ask_start(request, form.hinting(cls), context, other="start", cls=cls)


def judged(cls: Any, content: bytes) -> list[str]:
    """The inputs on the lines, as they are stored. ValidationError, which tells of each line that
    is refused, for a file that is not taken."""
    lines = list(islice(api_lines.lines_of(io.BytesIO(content)), LINES_MAX + 1))
    if not lines:
        raise ValidationError(gettext("The file has no line that holds anything."))
    if len(lines) > LINES_MAX:
        said = gettext("The file has more than %(lines)s lines, which is the most taken here.")
        raise ValidationError(said % {"lines": grouped(LINES_MAX)})
    verdicts = list(api_lines.judge(cls, lines))
    refused = [verdict for verdict in verdicts if verdict.error is not None]
    if refused:
        raise ValidationError(list(_told(refused, len(verdicts))))
    return [verdict.text for verdict in verdicts]


def _told(refused: Sequence[api_lines.Verdict], count: int) -> Iterator[str]:
    """How many are refused, then why, line by line."""
    said = ngettext(
        "%(refused)s of %(count)s line is refused. Nothing was started.",
        "%(refused)s of %(count)s lines are refused. Nothing was started.",
        count,
    )
    yield said % {"refused": grouped(len(refused)), "count": grouped(count)}
    for number, _text, error in refused[:TOLD_MAX]:
        line = gettext("Line %(number)s: %(why)s")
        yield line % {"number": grouped(number), "why": _why(error)}
    if (more := len(refused) - TOLD_MAX) > 0:
        said = ngettext("And %(n)s more.", "And %(n)s more.", more)
        yield said % {"n": grouped(more)}


def _why(error: Exception | None) -> str:
    """Why a line is refused: in our words, or in those of the gate and of the workflow."""
    if isinstance(error, UnicodeDecodeError):
        return gettext("This is not UTF-8, from byte %(byte)d on.") % {"byte": error.start + 1}
    if isinstance(error, JSONDecodeError):
        said = gettext("This is no JSON: %(why)s (column %(column)d).")
        return said % {"why": error.msg, "column": error.colno}
    if isinstance(error, RecursionError):
        return gettext("It is nested too deep.")
    if isinstance(error, ValidationError):
        said = "; ".join(map(str, messages_of(error)))
    elif isinstance(error, REFUSALS):
        said = str(error)
    else:  # of the workflow's own code
        said = f"{type(error).__name__}: {error}"
    said = visible(said)
    return said if len(said) <= TOLD_LENGTH_MAX else f"{said[:TOLD_LENGTH_MAX]}…"
