"""How a status looks in a terminal: a sign, one of ASCII for terminals that know no other, and a
colour. The colour is the tone that the admin gives it; the word always stands beside.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ..graph.looks import LOOKS, UNKNOWN

STYLES: Final = {
    "good": "green",
    "bad": "bold red",
    "busy": "cyan",
    "wait": "yellow",
    "calm": "blue",
    "quiet": "dim",
}
_SIGNS: Final = {
    "scheduled": ("◷", "@"),
    "pending": ("○", "."),
    "running": ("▶", ">"),
    "sleeping": ("☾", "z"),
    "waiting": ("⧖", "~"),
    "open": ("⧖", "~"),
    "answered": ("○", "."),
    "held_back": ("⧖", "~"),
    "paused": ("‖", "="),
    "compensating": ("↶", "<"),
    "completed": ("✓", "+"),
    "failed": ("✗", "x"),
    "timed_out": ("✗", "x"),
    "compensated": ("↶", "<"),
    "compensation_failed": ("⚠", "!"),
    "cancelled": ("⊘", "-"),
    "skipped": ("»", "-"),
    "alive": ("●", "+"),
    "overdue": ("⚠", "!"),
    "stopped": ("■", "-"),
    "dead": ("✗", "x"),
    "on": ("●", "+"),
    "off": ("○", "-"),
    "retired": ("■", "-"),
    "late": ("⚠", "!"),
    "broken": ("⚠", "!"),
    "gave_up": ("✗", "x"),
    "ended": ("■", "-"),
    "started": ("●", "+"),
    "queued": ("⧖", "~"),
    "missed": ("✗", "x"),
}
# How a status looks that the admin draws as another.
_AS: Final = {
    "open": "waiting",
    "answered": "pending",
    "on": "alive",
    "off": "stopped",
    "retired": "stopped",
    "ended": "stopped",
    "late": "overdue",
    "broken": "overdue",
    "gave_up": "failed",
    "started": "alive",
    "queued": "waiting",
    "missed": "timed_out",
}


class TerminalLook(NamedTuple):
    """A sign, its stand-in in ASCII, and a style of rich."""

    sign: str
    ascii: str
    style: str


def look_of(status: str) -> TerminalLook:
    """The look of a status; that of an unknown one is a plain dot.

    >>> look_of("completed")
    TerminalLook(sign='✓', ascii='+', style='green')
    """
    sign, ascii_sign = _SIGNS.get(status, ("·", "."))
    tone = LOOKS.get(_AS.get(status, status), UNKNOWN).tone
    return TerminalLook(sign, ascii_sign, STYLES.get(tone, ""))
