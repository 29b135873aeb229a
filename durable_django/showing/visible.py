"""Texts without what cannot be seen: an escape sequence in a log must not reach a terminal, a mark
that turns the direction of writing around must not reach a page. Pure.
"""

from __future__ import annotations

from typing import Final

# Joiners that shape Arabic and Indic scripts and emoji: invisible, but part of the writing.
_JOINERS: Final = "\u200c\u200d"


def visible(text: str) -> str:
    """``text`` with what cannot be seen written as escapes; line breaks and tabs stay.

    >>> visible("red: \\x1b[31m")
    'red: \\\\u001b[31m'
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\n\t" or char in _JOINERS else _escape(char)
        for char in text
    )


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
