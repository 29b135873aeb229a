"""Times and durations as people read them: relative on the face, exact in the title.

Text only; what the time is now is handed in.
"""

from __future__ import annotations

import re
from datetime import datetime

from django.utils.html import format_html, format_html_join
from django.utils.translation import get_language_bidi

from ..showing.spoken import exact, relative

# As the reasons why a run does not move write them.
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+\w-]+)", re.ASCII)


def ago(value: datetime | None, now: datetime) -> str | None:
    """For lists: relative, the exact moment in its title."""
    if value is None:
        return None
    return format_html(
        '<time datetime="{}" title="{}" data-relative>{}</time>',
        value.isoformat(),
        exact(value),
        relative(value, now),
    )


def at(value: datetime | None, now: datetime) -> str | None:
    """For pages: exact, and how long ago."""
    if value is None:
        return None
    return format_html(
        '<time datetime="{0}" title="{0}" dir="ltr">{1}</time> <span class="quiet">'
        '(<time datetime="{0}" data-relative>{2}</time>)</span>',
        value.isoformat(),
        exact(value),
        relative(value, now),
    )


def told(text: str) -> str:
    """A sentence for a page: where the language is written from right to left, the moments in it
    are set apart, since their parts would be turned around; all else is escaped then."""
    if not get_language_bidi():
        return text
    pieces = (
        (format_html('<bdi dir="ltr">{}</bdi>', part) if n % 2 else part,)
        for n, part in enumerate(_MOMENT.split(text))
    )
    return format_html_join("", "{}", pieces)
