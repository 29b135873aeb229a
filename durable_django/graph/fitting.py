"""How wide a text is, as far as that can be known without the font, and how it is shortened.

Names are in a monospaced font, all else in the admin's own; both are measured generously.
"""

from __future__ import annotations

from math import ceil
from typing import Final
from unicodedata import combining, east_asian_width

# Of a letter, in pixels: names at 13, what stands below them at 11.
NAME_LETTER: Final = 7.9
WORD_LETTER: Final = 5.4
DOTS: Final = "…"
SEPARATOR: Final = " · "


def width_of(text: str, letter: float) -> int:
    """The width of a text in pixels; letters of East Asia take two places."""
    return ceil(_places(text) * letter)


def fitted(text: str, width: int, letter: float, *, keeps_end: bool = False) -> str:
    """``text``, or as much of it as ``width`` pixels hold. ``keeps_end``: what is left out is in
    its middle, since names differ at their ends.

    >>> fitted("reserve_hotel_for_the_night", 120, NAME_LETTER, keeps_end=True)
    'reserve_h…night'
    """
    room = int(width / letter)
    if _places(text) <= room:
        return text
    end = room // 3 if keeps_end else 0
    head = _cut(text, max(room - end - 1, 1))
    return f"{head.rstrip(' ·')}{DOTS}{_cut(text[::-1], end)[::-1]}"


def whole_parts(text: str, width: int, letter: float) -> str:
    """As many of the parts of ``text``, which dots set apart, as ``width`` pixels hold; of the
    first one at least the beginning.

    >>> whole_parts("failed · 3 attempts · 1.2 s", 110, WORD_LETTER)
    'failed · 3 attempts'
    """
    while SEPARATOR in text and width_of(text, letter) > width:
        text = text.rpartition(SEPARATOR)[0]
    return fitted(text, width, letter)


def _cut(text: str, places: int) -> str:
    used = 0
    for number, letter in enumerate(text):
        used += _place(letter)
        if used > places:
            return text[:number]
    return text


def _places(text: str) -> int:
    return sum(map(_place, text))


def _place(letter: str) -> int:
    if combining(letter):
        return 0
    return 2 if east_asian_width(letter) in "WF" else 1


def plain(text: str) -> str:
    """``text`` on one line, with what cannot be seen, or turns the direction, as escapes."""
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in line)


def _escape(letter: str) -> str:
    return letter.encode("ascii", "backslashreplace").decode()
