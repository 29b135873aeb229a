"""What a run may be started with beside its input: queue, priority, when, how long, tags. What is
left empty is the workflow's own. The forms of one run and of many begin here; it starts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.contrib.admin import widgets
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from ...exceptions import QueueNotFound
from ...showing.durations import written
from ...store.options import UNSET
from ..inputs_page import NamedSplitDateTime
from ..schedule_forms import DurationField
from .pages import said

NO_TIMEOUT: Final = "none"


class TagsField(forms.CharField):
    """Tags as people write them: ``vip, customer=42``."""

    def clean(self, value: Any) -> Any:
        words = [word.strip() for word in super().clean(value).split(",")]
        words = [word for word in words if word]
        if not any("=" in word for word in words):
            return words
        pairs = (word.partition("=") for word in words)
        return {name.strip(): text.strip() if equals else True for name, equals, text in pairs}


class TimeoutField(DurationField):
    """How long a run may take, ``none`` for no limit; cleaned it is what ``start`` takes."""

    def clean(self, value: Any) -> Any:
        if str(value or "").strip().lower() == NO_TIMEOUT:
            return None
        seconds = super().clean(value)
        return UNSET if seconds is None else seconds


class OptionsForm(forms.Form):
    """The options of a start."""

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
    timeout = TimeoutField(
        label=_("Timeout"),
        required=False,
        help_text=_("Like 90s, 5m, 1h 30m or 7d; none for no limit."),
    )
    tags = TagsField(
        label=_("Tags"),
        required=False,
        widget=widgets.AdminTextInputWidget,
        help_text=_("Words, or names with values: vip, customer=42"),
    )

    def hinting(self, cls: Any) -> OptionsForm:
        """The same form, showing what the workflow's own options are."""
        options = cls.definition.options
        self.fields["queue"].widget.attrs["placeholder"] = options.queue
        self.fields["priority"].widget.attrs["placeholder"] = str(options.priority)
        if options.timeout is not None:
            self.fields["timeout"].widget.attrs["placeholder"] = written(options.timeout)
        return self

    def options(self) -> dict[str, Any]:
        """The keywords of ``start`` that were given."""
        names = ("queue", "priority", "scheduled_at", "tags", "idempotency_key")
        found = {name: self.cleaned_data.get(name) for name in names}
        given = {name: value for name, value in found.items() if value not in (None, "", [])}
        return {**given, "timeout": self.cleaned_data["timeout"]}

    def refuse(self, error: BaseException, beside: str) -> None:
        """Puts a refusal beside the field that it is about; what ``clean_input`` says, ``beside``
        the field of that name."""
        if isinstance(error, ValidationError):
            self.add_error(beside, messages_of(error))
        elif isinstance(error, QueueNotFound):
            self.add_error("queue", said(error))
        else:
            named = next((name for name in self.fields if str(error).startswith(name)), None)
            self.add_error(named, said(error))


def messages_of(error: ValidationError) -> Any:
    """The messages of ``clean_input``, each with the key that it is about."""
    if not hasattr(error, "error_dict"):
        return error.messages
    found: Mapping[str, list[str]] = error.message_dict
    return [f"{key}: {text}" for key, texts in found.items() for text in texts]
