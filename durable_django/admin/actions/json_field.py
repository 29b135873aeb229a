"""A form field for a value of a run: JSON text, judged by the gate that judges all values.

What JSON has no type for is written as the gate writes it: ``{"$": ["date", "2030-01-31"]}``.
"""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ...conf import settings
from ...engine import values
from ...exceptions import NotSerializable


def as_text(value: Any) -> str:
    """A value as people edit it.

    >>> as_text({"total": 3})
    '{\\n  "total": 3\\n}'
    """
    return laid_out(values.encode(value, "value"))


def laid_out(text: str) -> str:
    """The same for a value that is stored."""
    return json.dumps(json.loads(text), ensure_ascii=False, indent=2)


class ValueField(forms.CharField):
    """JSON; its cleaned value has passed the gate. ``path`` is what errors call it, ``empty`` what
    an empty field means."""

    def __init__(self, *, path: str, empty: Any = None, rows: int = 10, **options: Any) -> None:
        self.path = path
        self.empty = empty
        attrs = {"rows": rows, "spellcheck": "false", "class": "vLargeTextField durable-json"}
        options.setdefault("widget", AdminTextareaWidget(attrs=attrs))
        options.setdefault(
            "help_text",
            _('JSON. A date is written {"$": ["date", "2030-01-31"]}, other types likewise.'),
        )
        super().__init__(strip=True, **options)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return judged(text, self.path) if text else self.empty


def judged(text: str, path: str) -> Any:
    """The value that somebody wrote, as it will be stored. ValidationError for what cannot be."""
    try:
        value = values.decode(text)
    except json.JSONDecodeError as error:
        said = gettext("This is no JSON: %(why)s (line %(line)d, column %(column)d).")
        told = {"why": error.msg, "line": error.lineno, "column": error.colno}
        raise forms.ValidationError(said % told) from None
    except (ValueError, RecursionError) as error:
        said = gettext("This cannot be read: %(why)s")
        raise forms.ValidationError(said % {"why": values.visible(error, 200)}) from None
    check(value, path)
    return value


def check(value: Any, path: str) -> None:
    """ValidationError for a value that the gate refuses."""
    try:
        values.encode(value, path, limit=settings.MAX_PAYLOAD_BYTES)
    except NotSerializable as error:
        raise forms.ValidationError(str(error)) from None
    except RecursionError:
        raise forms.ValidationError(gettext("It is nested too deep.")) from None
