"""Words that several findings share. Text only, in the language that is active."""

from __future__ import annotations

import shlex
from datetime import datetime

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from ..figures import Capped
from ..showing.spoken import length
from ..why.wording import at, named, sentences

__all__ = ["ago", "at", "length", "many", "named", "sentences", "typed"]


def many(number: Capped) -> str:
    """``12``, or ``at least 1,000``."""
    text = number_format(number.number, force_grouping=True)
    return _("at least %(number)s") % {"number": text} if number.more else text


def typed(name: str) -> str:
    """A name as it may stand in a command that somebody copies into a shell."""
    return shlex.quote(named(name))


def ago(moment: datetime, now: datetime) -> str:
    """How long that is ago: ``3 h 5 min``."""
    return length((now - moment).total_seconds())
