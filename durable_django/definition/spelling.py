"""The "did you mean" at the end of an error. Knows words only, nothing of what they stand for."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``'; did you mean "queue"?'`` for ``"que"``, or an empty string when nothing is near."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else ""
