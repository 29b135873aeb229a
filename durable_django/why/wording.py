"""The words that several answers share: times, names, who did something. Text only.

What a run brings (names, reasons) is made printable here; whoever shows it still escapes it.
"""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from ..engine.values import visible
from .facts import Act

NAME_BYTES_MAX = 200
REASON_BYTES_MAX = 500
# Some languages cannot be written without them.
JOINERS = "\u200c\u200d"


def at(moment: datetime) -> str:
    """To the second, in the reader's time zone: ``2030-01-31 10:00:00 UTC``."""
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S %Z}"


def named(name: str) -> str:
    """A name as it may stand in a sentence."""
    return printable(name, NAME_BYTES_MAX)


def printable(text: str, bytes_max: int) -> str:
    """A text without what cannot be seen, such as what turns the direction of writing around."""
    shown = visible(text, bytes_max)
    if shown.isprintable():
        return shown
    return "".join(
        char if char.isprintable() or char in JOINERS else f"\\u{ord(char):04x}" for char in shown
    )


def by_whom(act: Act | None) -> str:
    """Who did it, when and why, as further sentences; "" where nobody has said anything."""
    if act is None:
        return ""
    when = at(act.at)
    if act.by:
        said = _("That was %(who)s, at %(when)s.") % {"who": named(act.by), "when": when}
    else:
        said = _("That was at %(when)s.") % {"when": when}
    if act.reason:
        reason = printable(act.reason, REASON_BYTES_MAX)
        said += " " + _("The reason given: %(reason)s") % {"reason": reason}
    return said


def sentences(*parts: str) -> str:
    """One behind the other, without those that are empty."""
    return " ".join(part for part in parts if part)
